"""Objects as rows of a meta.k8s.io/v1 Table."""

from __future__ import annotations

from apiserver.columns import Object, columns_of
from apiserver.resources import Resource


def table(resource: Resource, items: list[Object], metadata: Object, include: str) -> Object:
    """A Table of objects; ``include`` is None, Metadata or Object, as includeObject asks."""
    columns = columns_of(resource)
    rows = []
    for item in items:
        row: Object = {"cells": [column.cell(item) for column in columns]}
        if include == "Object":
            row["object"] = item
        elif include != "None":
            row["object"] = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": item["metadata"],
            }
        rows.append(row)
    definitions = [
        {
            "name": column.header,
            "type": "string",
            "format": "name" if column.header == "Name" else "",
            "description": "",
            "priority": int(column.wide),
        }
        for column in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }
