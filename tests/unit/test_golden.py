"""Bytes that were once released stay readable for ever, and mean what they meant.

To add golden bytes, append to `tests/vectors/golden/records.json` and add the digest here. Nothing that
stands there is ever made anew: a log somewhere holds bytes like it.
"""

import base64
import hashlib
import json
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.io import BinaryDecoder, DatumReader
from avro.schema import parse

from events.codec import _released, decode, decode_verified, encode, released_schemas
from events.lines import event_to_fields, format_line
from events.union import EVENT_TYPES
from events.upcasters import SUPERSEDED, Superseded, upcaster_from
from events.writer_schemas import load_schema, without_logical_types, writer_schema

CORPUS = Path(__file__).parents[1] / "vectors" / "golden" / "records.json"
ENTRIES: list[dict[str, Any]] = json.loads(CORPUS.read_text())
NAMES = [f"{number}-{entry['type']}-v{entry['version']}" for number, entry in enumerate(ENTRIES)]
DIGESTS = (
    "3f00c1f21c2ec8913655eb3714b5abc5",
    "d008f8cace0690da399e21b1af2b39e9",
    "44c941d58b81c72ad04d127db4b79f55",
    "4566bd699ed812606f91d96418267833",
    "d806af7f9c9b1b66660a2791426f1561",
    "cb4880615bd9ededfbcc12b1f6d07315",
    "0e1c638138dc569b835384879d3fd6fc",
    "b34e7b93633e287052ddffcacd4b5160",
    "45539aa3e1fc3bc590737517154a926d",
    "3bab49d40dc5fc98adb7fca57b0f7291",
    "16cb1e29add1c5edee8449fd74b76859",
    "1ab2d6126f4858db1cbb543a54ecc99c",
    "71e957ed45e5bcbfe70b3ab1ca9d5da2",
    "89fb0d36395471e0f44864ca234edbea",
    "cc966de3bdc3701ba676f789612d643b",
    "57de5b25bece058885d95779770383cc",
    "c4207652243cb7aeb9b097b0fe7b7c8a",
    "11c1a38d01a384596b5f850ee11f5f0c",
    "74a5e3d77d17c79da4d6e4ea9617191c",
    "b24657995d88f46bb4f008bff697a436",
    "0e9af730d667585e7920e75acaac7048",
    "697105fe8414dd04f49856c812999fdf",
    "2e8cc74070e4c0d37c727bc670b5d6a9",
    "d5b8c0d94408684d8a737084e60c91c5",
    "bd43de7eb5b6cb4cf0b4abdede995bba",
    "1d7cec16090599ec44e8647ef560d5e9",
    "0212e160694606f1828169f20613ad8a",
    "db3c7dda533facf716f74890950222e5",
    "591c49987aa26c859e2e1dd3a538fcb3",
    "dc5581b53d7ca49695b4699e46feb7ab",
    "3e0b484661fd7d6f5689d7bfaa0dd9a2",
    "4418b0ed6ec436db4feb31f581de7f8e",
    "324a70471a809b9748e708a984ca02f1",
    "b0d2f23fba75b14b443228566f9bff45",
    "6831c21bbebdd209285059d4664e18bd",
    "933e0718621f240ead693402b454643d",
    "07cb529f44a0e6a487ab7b9cf0b45fdf",
    "cc8be25abbb583496efcd363e327d806",
    "ea0091e2d813812901ca4d2e5df5d43f",
    "e334af2ffb9bcf27d0bbe0a6eeb5953b",
    "8d960e239f455364800d050f8092da5d",
    "511decb9d087bfff8bd118918840150c",
    "429d9438aaf6f725328d06f8d6abbf00",
    "5452a5986e2c28e394803b40d37d9788",
    "ae5d0d2df0bb915ba54978a21ce55efe",
    "16a32bfc43b9babba5674137d10a7df8",
    "3d0a6ab55665dc994acf0451691cda32",
    "a7d91260515a3143266dd5455c477df5",
    "ba42a923cafe2ed705124f03a4c1c22f",
    "a4ec860f9233e4fdec95a39672dc94a3",
    "9ae8a55b50655351bf5583fa6b01480e",
    "fc3c13c331eeb723ceb4156e3a3d6539",
    "a0e60d9ebef10739d558f70e784ad2ca",
    "7cba89d8c0b660cba44676884fa1be6b",
    "f5a5a76bfca482ea21ea387f8d4ff530",
    "2a9bd411e527f5dc12cd5bb17e90a27a",
    "3643fe5e5adaaa4c43cd30d2e83708fd",
    "1b331eecd9e33714be458ce65b49e7bb",
    "042d01039e950ca336bad99b49f8c1d8",
    "90ec57f47e7804bb28792df5e9827a7f",
)
"""The beginning of each entry's digest, in order. Entries are added at the end, and never changed."""


def digest_of(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:32]


def as_apache_reads_it(source: Any) -> Any:
    return parse(json.dumps(without_logical_types(source)))


def test_corpus_only_grows() -> None:
    """Every entry is the one that was written down when it was added, and each has its digest here."""
    assert [digest_of(entry) for entry in ENTRIES] == list(DIGESTS)
    assert len(DIGESTS) >= 60


def test_corpus_has_every_type_and_version() -> None:
    """There are golden bytes of every schema that a record may have been written with."""
    held = {(entry["type"], entry["version"]) for entry in ENTRIES}
    assert held == {(schema.type_name, schema.version) for schema in released_schemas()}


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_golden_bytes_mean_what_they_meant(entry: dict[str, Any]) -> None:
    """Golden bytes decode to their line: exactly, or, once superseded, in every field that it states."""
    one = decode_verified(base64.b64decode(entry["bytes"]))
    stated = json.loads(entry["line"])
    assert stated.items() <= json.loads(format_line(one)).items()
    if entry["version"] == load_schema(entry["type"]).version:
        assert format_line(one).decode() == entry["line"]


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_golden_bytes_are_written_again(entry: dict[str, Any]) -> None:
    """An event encodes to its golden bytes; one read from a superseded schema encodes by the new one."""
    value = base64.b64decode(entry["bytes"])
    schema = load_schema(entry["type"])
    if entry["version"] == schema.version:
        assert encode(decode(value)) == value
    else:
        assert encode(decode(value)).startswith(schema.header)
        assert decode(encode(decode(value))) == decode(value)


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_apache_avro_reads_golden_bytes(entry: dict[str, Any]) -> None:
    """The other implementation finds the same schema by fingerprint, and reads the same fields by it."""
    value = base64.b64decode(entry["bytes"])
    schema = next(s for s in released_schemas() if value.startswith(s.header))
    apache = as_apache_reads_it(schema.source)
    assert bytes(apache.fingerprint("CRC-64-AVRO")) == schema.fingerprint == value[2:10]
    fields: Any = DatumReader(apache).read(BinaryDecoder(BytesIO(value[10:])))
    event = decode(value).event
    assert fields["event_id"] == event.event_id
    assert fields["occurred_at"] == event.occurred_at
    assert set(fields) - {"recorded_at"} <= set(event_to_fields(event))


def test_notice_of_version_one_was_not_at_collection() -> None:
    """A notice written before `at_collection` existed reads as shown apart, which permits less."""
    old = [entry for entry in ENTRIES if (entry["type"], entry["version"]) == ("NoticeGiven", 1)]
    assert old
    for entry in old:
        event = decode(base64.b64decode(entry["bytes"])).event
        assert event_to_fields(event)["at_collection"] is False


def test_upcasters_run_one_after_the_other() -> None:
    """Fields of a version are lifted through every version after it, and those of the newest stay."""
    rows = (
        Superseded(type_name="A", version=1, fingerprint="", upcast=lambda fields: {**fields, "said": "2"}),
        Superseded(
            type_name="A",
            version=2,
            fingerprint="",
            upcast=lambda fields: {**fields, "said": fields["said"] + "3"},
        ),
        Superseded(type_name="B", version=1, fingerprint="", upcast=lambda _: {}),
    )
    assert upcaster_from("A", 1, rows)({}) == {"said": "23"}
    assert upcaster_from("A", 2, rows)({"said": "2"}) == {"said": "23"}
    assert upcaster_from("A", 3, rows)({"said": "x"}) == {"said": "x"}


def test_released_schema_that_changed_is_noticed() -> None:
    """A released file whose fingerprint is not the one written down stops the import, with its name."""
    row = SUPERSEDED[0]._replace(fingerprint="00" * 8)
    with pytest.raises(ValueError, match=r"NoticeGiven\.v1\.avsc was changed"):
        _released(row)


def test_missing_schema_is_named() -> None:
    """A schema that the installation lacks is asked for by its file's name."""
    with pytest.raises(FileNotFoundError):
        load_schema("NeverHappened")


def test_released_files_are_the_registered_ones() -> None:
    """The folder of released schemas holds the registered versions, and nothing else."""
    folder = resources.files("events") / "schemas" / "released"
    files = {file.name for file in folder.iterdir()}
    assert files == {f"{row.type_name}.v{row.version}.avsc" for row in SUPERSEDED}


@pytest.mark.parametrize("row", SUPERSEDED, ids=lambda row: f"{row.type_name}-v{row.version}")
def test_new_schemas_can_read_old_records(row: Superseded) -> None:
    """By Avro's own rules, readers that know only the newest schema can read what an older one wrote."""
    old, new = load_schema(row.type_name, row.version), load_schema(row.type_name)
    assert old.version < new.version
    assert compatible(new.source, old.source)


def test_compatibility_check_can_fail() -> None:
    """The rule above refuses a new field without a default: an old record does not have it."""
    old, new = load_schema("NoticeGiven", 1).source, load_schema("NoticeGiven").source
    fields = [{k: v for k, v in field.items() if k != "default"} for field in new["fields"]]
    assert not compatible({**new, "fields": fields}, old)


def compatible(reader: Any, writer: Any) -> bool:
    make: Any = ReaderWriterCompatibilityChecker
    checker = make()
    verdict = checker.get_compatibility(as_apache_reads_it(reader), as_apache_reads_it(writer))
    return bool(verdict.compatibility is SchemaCompatibilityType.compatible)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_schema_says_what_it_means(name: str) -> None:
    """Apache avro accepts each schema; every field, record and enum is documented, and the struct agrees."""
    source = load_schema(name).source
    assert as_apache_reads_it(source).fullname == f"org.choiceledger.events.{name}"
    undocumented = [part["name"] for part in named_parts(source) if len(part.get("doc", "")) < 4]
    assert undocumented == []
    kind = EVENT_TYPES[name]
    declared = {field["name"] for field in source["fields"]} - {"recorded_at"}
    assert declared == set(kind.__struct_encode_fields__)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_no_schema_has_what_the_guard_does_not_know(name: str) -> None:
    """No schema has a map, and none names itself; the enums are those that a line may use."""
    parts = list(named_parts(load_schema(name).source))
    assert all(part.get("type") != "map" for part in parts)
    names = [part["name"] for part in parts if part.get("type") in ("record", "enum")]
    assert len(names) == len(set(names))


def named_parts(schema: Any) -> list[dict[str, Any]]:
    """Every record, enum and field in a schema."""
    if isinstance(schema, list):
        return [part for item in schema for part in named_parts(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if "name" in schema else []
    return own + [
        part for key in ("fields", "type", "items", "values") for part in named_parts(schema.get(key))
    ]


LAST_SYMBOLS = {
    "ActorKind": "individual",
    "Medium": "gpc",
    "ReviewVerdict": "rejected",
    "Mode": "opt_in",
    "Role": "third_party",
    "DeliveryOutcome": "failed",
    "ChoiceDecision": "opt_out",
    "Channel": "paper",
    "AttemptResult": "failed",
    "RequestKind": "objection",
    "MandateKind": "agent",
}
"""Of each enum, the symbol that permits least: the decoder takes an unknown index for the last one."""


def test_last_symbol_is_the_most_restrictive() -> None:
    """In every schema, released ones included, the last symbol of an enum is the one that permits least."""
    enums = [
        part
        for schema in released_schemas()
        for part in named_parts(schema.source)
        if part.get("type") == "enum"
    ]
    assert {part["name"]: part["symbols"][-1] for part in enums} == LAST_SYMBOLS
    assert all(part["symbols"][-1] == LAST_SYMBOLS[part["name"]] for part in enums)


def test_schema_without_logical_types_has_the_same_fingerprint() -> None:
    """Leaving logical types out changes how values are handled, and not which schema it is."""
    for schema in released_schemas():
        assert writer_schema(without_logical_types(schema.source)).fingerprint == schema.fingerprint
