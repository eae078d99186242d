"""Stage 1: getting, checking and keeping temperatures. Knows nothing of what they are used for."""

from lstm_model.readings.cadence import as_frequency, cadence
from lstm_model.readings.check import FileCheck, check_file, check_source
from lstm_model.readings.ingestion import IngestReport, SourceReport, ingest, ingest_file, ingest_from, retry_quarantine
from lstm_model.readings.quarantine import Quarantine
from lstm_model.readings.sample import SAMPLE_END, SAMPLE_FIRST_NIGHT, SampleSource
from lstm_model.readings.sources import RawRows, Source
from lstm_model.readings.store import FlagCounts, ReadingsStore, UpsertCounts, living

__all__ = [
    "SAMPLE_END",
    "SAMPLE_FIRST_NIGHT",
    "FileCheck",
    "FlagCounts",
    "IngestReport",
    "Quarantine",
    "RawRows",
    "ReadingsStore",
    "SampleSource",
    "Source",
    "SourceReport",
    "UpsertCounts",
    "as_frequency",
    "cadence",
    "check_file",
    "check_source",
    "ingest",
    "ingest_file",
    "ingest_from",
    "living",
    "retry_quarantine",
]
