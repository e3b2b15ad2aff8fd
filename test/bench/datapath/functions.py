"""Which functions of the kernel execute the instructions of a request: what count.c has counted, with names."""
import bisect
import collections
import os

LEAST = 10  # instructions a request: functions with fewer are summed up, by module


def prepare(plan):
    """The guest is to tell its symbols, over a port that it needs modules for."""
    with open(f"{plan}/plan/modules", "w", encoding="ascii") as file:
        file.write("virtio_pci virtio_console\n")
    open(f"{plan}/plan/symbols", "x", encoding="ascii").close()


def options(programs, work):
    return ("-plugin", f"{programs}/libcount.so,out={work}/counted", "-device", "virtio-serial-pci",
            "-chardev", f"file,id=symbols,path={work}/symbols", "-device", "virtserialport,chardev=symbols")


def read_symbols(path):
    """Sorted (address, name, module)."""
    symbols = []
    with open(path, encoding="ascii") as file:
        for line in file:
            address, kind, name, *module = line.split()
            if kind in "tTwW":
                symbols.append((int(address, 16), name, module[0].strip("[]") if module else "kernel"))
    return sorted(symbols)


def read(work, measurements, requests):
    """For each measured mode (its first measurement, that of connections) rows of (mode, function, module, instructions)."""
    symbols = read_symbols(f"{work}/symbols")
    addresses = [symbol[0] for symbol in symbols]
    counted = collections.Counter()
    with open(f"{work}/counted", encoding="ascii") as file:
        for line in file:
            number, address, instructions = line.split()
            mode = measurements[int(number)]
            if measurements.index(mode) != int(number):
                continue
            _, name, module = symbols[bisect.bisect_right(addresses, int(address, 16)) - 1] if int(address, 16) else \
                (0, "", "programs")
            counted[mode, name, module] += int(instructions)
    assert counted and os.path.getsize(f"{work}/symbols") > 1_000_000
    rows = collections.Counter()
    for (mode, name, module), count in counted.items():
        rows[mode, name if count >= LEAST * requests else "others", module] += count
    return [(*key, round(count / requests, 1)) for key, count in sorted(rows.items(), key=lambda row: (row[0][0], -row[1]))]
