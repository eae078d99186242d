"""Stage 1: getting, checking and keeping temperatures. Knows nothing of what they are used for."""

from lstm_model.readings.ingestion import IngestReport, SourceReport, ingest, ingest_file
from lstm_model.readings.sample import SAMPLE_END, SAMPLE_FIRST_NIGHT
from lstm_model.readings.store import ReadingsStore, living

__all__ = [
    "SAMPLE_END",
    "SAMPLE_FIRST_NIGHT",
    "IngestReport",
    "ReadingsStore",
    "SourceReport",
    "ingest",
    "ingest_file",
    "living",
]
