"""The schema of the files that hold results: `report.json` and a hardening's `robustness.json`.

    jsonschema.validate(json.loads(Path("report.json").read_text()), REPORT_SCHEMA)

A file says its `schema_version`. Adding a field leaves it; taking one away, or giving it another
meaning, raises it. Files without one are of the version before the first, which lack only fields.
"""

from typing import Any

SCHEMA_VERSION = 1
"""The version of the files that are written now."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _array(items: dict[str, Any], **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _object(fields: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object of these fields and no other."""
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


_INTERVAL = _array(_SHARE, minItems=2, maxItems=2)
_LENGTH = {"type": "number", "minimum": 0}
_ROW = _object(
    {
        "attack": _TEXT,
        "epsilon": _or_null(_LENGTH),
        "robust_accuracy": _SHARE,
        "interval": _INTERVAL,
        "success_rate": _or_null(_SHARE),
        "changes": _map(_object({"mean": _LENGTH, "median": _LENGTH})),
        "per_class": _array(_or_null(_SHARE)),
        "seconds": {"type": "number", "minimum": 0},
        "details": _map({"type": "number"}),
    }
)
_CORRUPTIONS = _object(
    {
        "model": _TEXT,
        "n": _COUNT,
        "clean": _SHARE,
        "rows": _array(
            _object(
                {
                    "corruption": _TEXT,
                    "severity": {"type": "integer", "minimum": 1, "maximum": 5},
                    "accuracy": _SHARE,
                    "interval": _INTERVAL,
                    "baseline": _or_null(_SHARE),
                }
            )
        ),
        "seed": _COUNT,
        "baseline": _or_null(_TEXT),
        "baseline_clean": _or_null(_SHARE),
    }
)
_VERDICT = _object({"least": _SHARE, "lowest": _SHARE, "row": _TEXT})
_FIELDS: dict[str, Any] = {
    "schema_version": {"const": SCHEMA_VERSION},
    "model": _TEXT,
    "n": {"type": "integer", "minimum": 1},
    "class_names": _array(_TEXT),
    "norm": _or_null({"enum": ["l0", "l1", "l2", "linf"]}),
    "epsilons": _array(_LENGTH),
    "clean": _ROW,
    "rows": _array(_ROW),
    "worst_case": _array(_ROW),
    "curves": _map(
        _object(
            {
                "epsilon": _array(_LENGTH),
                "robust_accuracy": _array(_SHARE),
                "low": _array(_SHARE),
                "high": _array(_SHARE),
            }
        )
    ),
    "flags": _array(_object({"name": _TEXT, "evidence": _TEXT, "meaning": _TEXT})),
    "unchecked": _array(_TEXT),
    "assumptions": _array(_TEXT),
    "attacks": _map({"type": "object"}),
    "versions": _map(_TEXT),
    "certified": _array(_ROW),
    "class_counts": _array(_COUNT),
    "provenance": _map(_TEXT),
    "verdict": _or_null(_VERDICT),
    "corruptions": _or_null(_CORRUPTIONS),
}

REPORT_SCHEMA: dict[str, Any] = {
    "$schema": _DRAFT,
    "title": "kgan: robustness of a classifier",
    **_object(_FIELDS),
}
"""JSON schema of `report.json`; what each field says, the docstring of `Report` tells."""

_SHOWN = _map(_object({"accuracy": _SHARE, "interval": _INTERVAL, "n": _COUNT}))
_REPORT = _object(_FIELDS)
HARDENING_SCHEMA: dict[str, Any] = {
    "$schema": _DRAFT,
    "title": "kgan: a classifier before and after hardening",
    **_object(
        {
            "schema_version": {"const": SCHEMA_VERSION},
            "method": _TEXT,
            "epsilon": _LENGTH,
            "seconds": {"type": "number", "minimum": 0},
            "stopped": {"type": "boolean"},
            "table": _object({"before": _SHOWN, "after": _SHOWN}),
            "reports": _object({"before": _REPORT, "after": _REPORT}),
            "autoattack": _object(
                {"before": _REPORT, "after": _REPORT}, optional=("before", "after")
            ),
            "uncertified": _or_null(_TEXT),
            "provenance": _map(_TEXT),
        }
    ),
}
"""JSON schema of `robustness.json`, see `kgan.robustness.comparison.Comparison`."""
