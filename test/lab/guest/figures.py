"""Figures of many measurements: one line to print, and the samples themselves in a file that outlives the lab."""
import csv
import os

from machine import LAB

FIGURES = f"{LAB}/out/figures"


def percentile(values, percent):
    """The smallest value that so many per cent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]


def summary(values):
    if not values:
        return "n 0"
    return (f"n {len(values)}, mean {sum(values) / len(values):.3f}, median {percentile(values, 50):.3f}, "
            f"p99 {percentile(values, 99):.3f}, max {max(values):.3f} s")


def write(name, header, rows):
    os.makedirs(FIGURES, exist_ok=True)
    with open(f"{FIGURES}/{name}.csv", "w", encoding="ascii", newline="") as file:
        csv.writer(file).writerows([header, *rows])
