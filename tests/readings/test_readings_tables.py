"""From bytes to cells: every format, every row with its line, and nothing that came is lost."""

import gzip
import io
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_model.errors import SourceError
from lstm_model.readings.tables import (
    NO_OBJECT,
    OVERFLOW,
    STATION_CELL,
    TOO_MANY_FIELDS,
    VALUE_CELL,
    cells_of_raw,
    raw_json,
    read_cells,
    unpack,
)


def read(content, delimiter=None):
    return read_cells(content if isinstance(content, bytes) else content.encode(), "inbox/a.csv", delimiter)


def rows(cells):
    return cells.frame.to_dict(orient="records")


def parquet(frame, **options):
    file = io.BytesIO()
    frame.to_parquet(file, **options)
    return file.getvalue()


@pytest.mark.parametrize(("delimiter", "named"), [(",", "','"), (";", "';'"), ("\t", "tab"), ("|", "'|'")])
def test_the_delimiter_is_found_out(delimiter, named):
    cells = read(f"who{delimiter}when\nattic{delimiter}today\n")
    assert rows(cells) == [{"who": "attic", "when": "today"}]
    assert cells.description == f"CSV, columns divided by {named}, UTF-8"


def test_the_commonest_delimiter_of_the_header_divides_the_columns():
    cells = read("who;when;note (a, b)\nattic;today;x, y, z, …\n")
    assert rows(cells) == [{"who": "attic", "when": "today", "note (a, b)": "x, y, z, …"}]


def test_a_delimiter_that_is_named_is_taken():
    assert rows(read("who when,exactly\nattic 1,5\n", " ")) == [{"who": "attic", "when,exactly": "1,5"}]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("who\nHöhe 20 °C\n".encode(), "UTF-8"),
        ("who\nHöhe 20 °C\n".encode("utf-8-sig"), "UTF-8"),
        ("who\nHöhe 20 °C\n".encode("latin-1"), "Latin-1"),
    ],
)
def test_the_encoding_is_found_out(content, encoding):
    cells = read(content)
    assert rows(cells) == [{"who": "Höhe 20 °C"}]
    assert cells.description.endswith(encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(end):
    cells = read(end.join(["who,when", "attic,1", "cellar,2", ""]))
    assert cells.frame["when"].tolist() == ["1", "2"]
    assert cells.lines.tolist() == [2, 3]


def test_a_row_stands_on_the_line_on_which_it_ends():
    cells = read('who,note\n\na,"two\nlines"\n\n\nb,\n')
    assert cells.frame["note"].tolist() == ["two\nlines", ""]
    assert cells.lines.tolist() == [4, 7]


def test_empty_lines_before_the_header_do_no_harm():
    cells = read("\n\nwho;when\nattic;1\n")
    assert rows(cells) == [{"who": "attic", "when": "1"}]
    assert cells.lines.tolist() == [4]


def test_one_empty_line_before_the_header_makes_it_no_row_of_the_table():
    """With exactly one, the number of lines is that of a file without it."""
    cells = read(b"\nstation,time,temp\nx,2024-01-01,10\nx,2024-01-02,11\n")
    assert list(cells.frame.columns) == ["station", "time", "temp"]
    assert cells.frame["temp"].tolist() == ["10", "11"]
    assert cells.lines.tolist() == [3, 4]
    assert len(read(b"\nstation,time,temp\n").frame) == 0


def test_a_row_that_ends_early_is_filled_with_nothing():
    cells = read("who,when,temp\na,1\nb,2,3\n")
    assert cells.frame["temp"].tolist() == ["", "3"]
    assert cells.fault.tolist() == ["", ""]


def test_a_row_with_more_fields_than_columns_is_at_fault_and_kept_whole():
    cells = read("who,when\na,1\nb,2,3,4\n")
    assert cells.fault.tolist() == ["", TOO_MANY_FIELDS]
    assert cells.frame[OVERFLOW].tolist() == ["", "3,4"]


def test_a_delimiter_at_the_end_of_every_row_does_no_harm():
    cells = read("who,when\na,1,\nb,2,,\n")
    assert rows(cells) == [{"who": "a", "when": "1"}, {"who": "b", "when": "2"}]
    assert set(cells.fault) == {""}


def test_a_column_without_a_name_gets_one():
    assert list(read(",who,\n0,a,\n").frame) == ["(column 1)", "who", "(column 3)"]


def test_no_cell_is_taken_for_a_number_or_for_nothing():
    cells = read("who,temp\n007,NA\nnull,1e5\n")
    assert rows(cells) == [{"who": "007", "temp": "NA"}, {"who": "null", "temp": "1e5"}]


def test_a_header_alone_is_a_table_without_rows():
    cells = read("who,when\n")
    assert list(cells.frame) == ["who", "when"]
    assert len(cells.frame) == len(cells.lines) == len(cells.fault) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "inbox/a.csv: the file is empty; the first line must name the columns."),
        (" \n\n", "inbox/a.csv: the file is empty; the first line must name the columns."),
        (b"\xff\xfe\x00\x01", "inbox/a.csv: cannot be read as CSV, JSON lines or Parquet: it is no text."),
        ("a,b,a\n1,2,3\n", "inbox/a.csv:1: two columns are called 'a'; give each its own name."),
        ("a,b\n" + '"' + "x" * 200_000, "inbox/a.csv: cannot be read as CSV: field larger than field limit (131072)"),
        (b"PAR1 and no more", "inbox/a.csv: cannot be read as Parquet: "),
    ],
)
def test_a_content_that_is_no_table_is_refused(content, said):
    with pytest.raises(SourceError) as caught:
        read(content)
    assert str(caught.value).startswith(said)


def test_gzip_is_told_by_the_content():
    assert unpack(gzip.compress(b"who\na\n"), "a.csv") == unpack(b"who\na\n", "a.csv") == b"who\na\n"


@pytest.mark.parametrize("damaged", [slice(0, -9), slice(0, 12), slice(0, 2)])
def test_a_damaged_archive_is_refused(damaged):
    with pytest.raises(SourceError, match=r"^a\.csv\.gz: the gzip archive is damaged or still being written"):
        unpack(gzip.compress(b"who\n" + bytes(range(256)))[damaged], "a.csv.gz")


def test_json_lines_are_rows():
    cells = read('{"who": "a", "temp": 1.5}\r\n\r\n{"who": 7, "rh": null}\n')
    assert cells.description == "JSON lines, UTF-8"
    assert cells.frame["who"].tolist() == ["a", 7]
    assert cells.frame["temp"].tolist()[0] == 1.5
    assert cells.frame["temp"].isna().tolist() == [False, True]
    assert cells.frame["rh"].isna().all()
    assert cells.lines.tolist() == [1, 3]


@pytest.mark.parametrize("line", ["{oops", "[1, 2]", '"text"', '{"n": ' + "9" * 5000 + "}", "[" * 100_000])
def test_a_line_that_is_no_object_costs_no_other_row(line):
    cells = read(f'{{"who": "a"}}\n{line}\n{{"who": "b"}}\n')
    assert cells.fault.tolist() == ["", NO_OBJECT, ""]
    assert cells.frame["who"].tolist()[::2] == ["a", "b"]
    assert json.loads(raw_json(rows(cells)[1])) == {"who": None, "(line)": line}
    assert json.loads(raw_json(rows(cells)[0])) == {"who": "a"}


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\x0c"])
def test_a_mark_that_ends_a_line_elsewhere_is_part_of_a_text(mark):
    line = json.dumps({"who": f"a{mark}b"}, ensure_ascii=False) if mark != "\x0c" else '{"who": "a\\fb"}'
    cells = read(f"{line}\n{line}\n")
    assert cells.frame["who"].tolist() == [f"a{mark}b"] * 2
    assert cells.lines.tolist() == [1, 2]


def test_parquet_keeps_its_types():
    frame = pd.DataFrame({"who": ["a", None], "when": pd.to_datetime(["2024-01-01T00:00Z", None]), "temp": [1.5, None]})
    cells = read(parquet(frame))
    assert cells.description == "Parquet"
    assert cells.frame["when"].dtype == "datetime64[us, UTC]"
    assert cells.frame["temp"].dtype == "float64"
    assert cells.lines.tolist() == [1, 2]
    assert set(cells.fault) == {""}


def test_an_index_in_parquet_is_a_column():
    times = pd.date_range("2024-01-01T00:00Z", periods=2, freq="1h", name="time")
    assert list(read(parquet(pd.DataFrame({"kitchen": [1, 2], 5: [3, 4]}, index=times).rename(columns=str))).frame) == [
        "time", "kitchen", "5",
    ]  # fmt: skip


def test_long_numbers_in_parquet_stay_apart_beside_a_missing_one():
    who = [2**60 + 1, 2**60 + 2, None]
    frame = pd.DataFrame({"who": pd.array(who, dtype="Int64"), "temp": [1.0, 2.0, 3.0]})
    assert read(parquet(frame)).frame["who"].tolist()[:2] == who[:2]


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


@settings(max_examples=60)
@given(table=st.lists(st.tuples(cell, cell, cell), max_size=5), delimiter=st.sampled_from(",;\t|"), pack=st.booleans())
def test_any_text_comes_back_from_csv(table, delimiter, pack):
    table = [row for row in table if any(row)]
    file = io.StringIO()
    pd.DataFrame(table, columns=["a", "b", "c"]).to_csv(file, index=False, sep=delimiter)
    content = file.getvalue().encode()
    cells = read(unpack(gzip.compress(content) if pack else content, "a.csv"), delimiter)
    assert list(cells.frame.itertuples(index=False, name=None)) == table
    assert set(cells.fault) <= {""}


json_cell = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | cell


@settings(max_examples=60)
@given(table=st.lists(st.fixed_dictionaries({"a": json_cell, "b": json_cell}), min_size=1, max_size=5))
def test_any_row_comes_back_from_quarantine(table):
    cells = read("\n".join(json.dumps(row) for row in table))
    again = cells_of_raw([raw_json(row) for row in rows(cells)])
    assert rows(again) == [{key: "" if value is None else value for key, value in row.items()} for row in table]
    assert again.lines.tolist() == list(range(1, len(table) + 1))


def test_a_row_is_told_as_it_stood_in_its_file():
    assert raw_json({"who": "Ü", "when": pd.NaT, "temp": float("nan"), "n": pd.NA}) == (
        '{"who": "Ü", "when": null, "temp": null, "n": null}'
    )
    assert raw_json({"when": pd.Timestamp("2024-01-01T00:00Z")}) == '{"when": "2024-01-01 00:00:00+00:00"}'


def test_a_row_of_a_wide_table_is_told_as_its_time_and_its_own_column():
    assert raw_json({"time": "now", STATION_CELL: "attic", VALUE_CELL: "warm"}) == '{"time": "now", "attic": "warm"}'


def test_what_other_rows_had_too_much_is_not_told_of_a_row():
    first, second = rows(read("who,when\na,1\nb,2,3\n"))
    assert raw_json(first) == '{"who": "a", "when": "1"}'
    assert raw_json(second) == '{"who": "b", "when": "2", "(further fields)": "3"}'


def test_a_fault_is_known_again_from_quarantine():
    cells = read("who,when\na,1\nb,2,3\n")
    assert cells_of_raw([raw_json(row) for row in rows(cells)]).fault.tolist() == ["", TOO_MANY_FIELDS]
    assert cells_of_raw(['{"who": "a"}', '{"(line)": "{oops"}']).fault.tolist() == ["", NO_OBJECT]


LINE = st.lists(st.sampled_from(["", " ", "attic", "1,5", "−3", "\u2028", "\x0b"]), max_size=4).map(";".join)


@given(st.lists(LINE, max_size=6), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_regular_file_is_read_as_any_other(lines, ending, ended):
    """A quote anywhere makes a file irregular, so that it is read row by row."""
    below = ending.join(["", *lines]) + ending * ended
    quick, forgiving = read(f"who;when;what{below}"), read(f'"who";when;what{below}')
    pd.testing.assert_frame_equal(quick.frame, forgiving.frame)
    assert quick.lines.tolist() == forgiving.lines.tolist()
    assert quick.fault.tolist() == forgiving.fault.tolist()
