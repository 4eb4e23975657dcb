"""Something to keep house in: files and a small shop database, made once, in an empty directory."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

GUESTS = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia")
PRICES = {"lamp": 4900, "kettle": 3450, "notebook": 650, "chair": 12900}


def create_sample_data(root: Path) -> None:
    """Fills `root` when it is missing or empty; whatever lies in it already is left alone."""
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        return
    write_letters(root / "files" / "letters")
    write_invoices(root / "files" / "invoices")
    (root / "files" / "README.md").write_text("# Office files\n\nLetters and invoices.\n")
    create_shop(root / "databases")


def write_letters(folder: Path) -> None:
    folder.mkdir(parents=True)
    for guest in GUESTS:
        text = f"Dear {guest},\n\nthank you for your order. It leaves our house today.\n"
        (folder / f"{guest.lower()}.txt").write_text(text)


def write_invoices(folder: Path) -> None:
    folder.mkdir(parents=True)
    for month in range(1, 13):
        lines = [f"{item},{month},{price * month}" for item, price in PRICES.items()]
        (folder / f"2025-{month:02}.csv").write_text(
            "item,quantity,cents\n" + "\n".join(lines) + "\n"
        )


def create_shop(folder: Path) -> None:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "shop.db")) as shop, shop:
        shop.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        shop.execute("CREATE TABLE orders (customer_id INTEGER, item TEXT, cents INTEGER)")
        shop.executemany("INSERT INTO customers (name) VALUES (?)", [(guest,) for guest in GUESTS])
        orders = [
            (customer, item, cents)
            for customer in range(1, len(GUESTS) + 1)
            for item, cents in PRICES.items()
        ]
        shop.executemany("INSERT INTO orders VALUES (?, ?, ?)", orders)
