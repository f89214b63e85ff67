"""Pages, and what is asked of them."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import DIGITS, Text

Item = TypeVar("Item", bound=BaseModel)
Limit = Annotated[int, Field(ge=1, le=1000), DIGITS]


class PageQuery(BaseModel):
    """Parameters beside these are refused, lest a misspelt filter go unnoticed."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = Field(50, description="How many items the page has at most.")
    cursor: Text | None = Field(None, description="The `next_cursor` of the page before.")


class Page(BaseModel, Generic[Item]):
    """Some of many items, and the way to more."""

    items: list[Item]
    next_cursor: str | None = Field(description="Leads to the next page; null on the last.")
