"""The series in other setups than the usual one, which has a hold time of 9 s and two reflectors."""
import fig6
import series

LIMIT_S, LONG_LIMIT_S = 420, 3600
SHORT, LONG = 8, 100  # changes in each
SETUPS = ((9, 1), (3, 2), (3, 1))  # hold time in seconds, reflectors


def reflectors(count):
    return "[" + ", ".join(f"{{address: {address}, as: 65021}}" for address in list(fig6.REFLECTORS.values())[:count]) + "]"


def run(lab):
    played = {}
    for hold_time_s, count in SETUPS:
        lab.configure(holdTime=hold_time_s, reflectors=reflectors(count))
        lab.wait(lab.is_settled, 30, f"sessions with a hold time of {hold_time_s} s and {count} reflectors")
        played[hold_time_s, count] = series.play(lab, LONG if lab.long else SHORT, f"series-{hold_time_s}-{count}")
        lab.settle()
    return "; ".join(f"hold time {hold_time_s} s, {count} reflectors: {series.judged(*each)}"
                     for (hold_time_s, count), each in played.items())
