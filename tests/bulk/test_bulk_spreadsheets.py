"""What spreadsheets, mail and web pages make of a reference, and the rows below a table."""

from __future__ import annotations

import pytest

from plexypay_async.bulk.columns import BadRowError, request_of
from plexypay_async.bulk.spreadsheets import names_a_sum, spoiled

SUMS = [
    *("TOTAL", "Total:", " grand  total ", "Subtotal", "Sum", "Total due", "Total for July", "Total (5)"),
    *(
        "ИТОГО",
        "Итого:",
        "Итого: 5 шт.",
        "ИТОГО ПО ДОКУМЕНТУ",
        "Всего",
        "Всего к оплате",
        "Общий итог",
        "Сумма",
    ),
    *("Барлығы", "Жиыны:", "Жалпы қорытынды", "Қорытынды"),
]
NO_SUMS = [
    *("TOTAL-17", "Totals", "total17", "Totalenergies", "Total Beauty", "SUM-1", "Summer tour"),
    *("ИТОГО-5", "Итогов", "Всего-1", "Всеволод", "Сумма-3", "Суммарный", "Барлығы-1", "INV-1"),
]


@pytest.mark.parametrize("text", SUMS)
def test_what_names_a_sum_is_no_order(text: str) -> None:
    assert names_a_sum(text)
    for row in ({"order_reference": text}, {"description": text}, {"customer_id": text}, {"currency": text}):
        cells = {"amount": "300", "currency": "KZT", **row}
        with pytest.raises(
            BadRowError, match="this is the sum of a table, and no order: remove the row"
        ) as told:
            request_of(cells)
        assert told.value.column == next(iter(row))


@pytest.mark.parametrize("text", NO_SUMS)
def test_what_only_begins_like_a_sum_is_an_order(text: str) -> None:
    assert not names_a_sum(text)
    row = {"order_reference": text, "amount": "300", "currency": "KZT"}
    assert request_of(row).order_reference == text


@pytest.mark.parametrize("text", SUMS)
def test_beside_a_reference_a_sum_is_a_text(text: str) -> None:
    row = {"order_reference": "INV-1", "amount": "300", "currency": "KZT", "description": text}
    assert request_of(row).order_reference == "INV-1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *((text, "is a number that a spreadsheet") for text in ("1.23457\u0415+12", "1,2E-05", "9\u0435+15")),
        *((text, "is a spreadsheet's error") for text in ("N/A", "#NV", "Ошибка:502", "Қате:502", "err:508")),
        *((text, "is what programs write") for text in ("\\N", "(null)", "<null>", "undefined", "None")),
        ("\ufffd\ufffd-1", "has U+FFFD, which stands for a letter that was lost"),
        ('INV"1', "has a double quote that does not go around the cell"),
        ('"INV-1"', "has a double quote that does not go around the cell"),
        ("“INV-1”", "has a double quote that does not go around the cell"),
        ("&#1057;-1", "has a letter as web pages write it"),
        ("&#x421;-1", "has a letter as web pages write it"),
        ("INV-&#8470", "has a letter as web pages write it"),
        ("A&amp", "has a letter as web pages write it"),
        ("A&amp;B", "has a letter as web pages write it"),
        ("=D0=A1=D0=A7-1", "has letters as mail transmits them"),
        ("a=3Db", "has letters as mail transmits them"),
    ],
)
def test_a_reference_that_was_changed_on_its_way_is_refused(text: str, told: str) -> None:
    assert str(spoiled(text)).startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        "A&B",
        "A&B;C",
        "A&amplifier",
        "A&#5",
        "a=b",
        "=2+3",
        "x==",
        "5=10",
        "Ромашка «A»",
        'ТОО "Ромашка" 5',
        "INV-1?",
        "#17",
        "7E-12",
        "1E5",
        "Ошибка:5",
        "NA",
    ],
)
def test_a_reference_that_may_be_one_is_taken(text: str) -> None:
    assert spoiled(text) is None


@pytest.mark.parametrize("text", ["NaN", "nan", "NaT", "NAN"])
def test_the_word_for_nothing_is_no_currency(text: str) -> None:
    with pytest.raises(BadRowError, match="is not a currency"):
        request_of({"order_reference": "A", "amount": "300", "currency": text})


def test_a_reference_that_is_no_text_is_not_told_again() -> None:
    with pytest.raises(BadRowError, match="is not UTF-8 text") as told:
        request_of({"order_reference": "\udcd1-3", "amount": "300", "currency": "KZT"})
    assert told.value.order_reference is None
    str(told.value).encode()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Номер заказа", "did you mean order_reference?"),
        ("orderid", "did you mean order_reference?"),
        # People write their amounts in major units.
        ("Сумма", "did you mean amount_major?"),
        ("Total", "did you mean amount_major?"),
        ("amount\u200b", "it has a character that nobody sees: type amount anew"),
    ],
)
def test_an_unknown_column_is_told_what_it_may_be(name: str, hint: str) -> None:
    with pytest.raises(BadRowError, match="unknown column") as told:
        request_of({name: "300"})
    assert told.value.reason.endswith(hint)
