"""coracle controller with input and surroundings that are wrong: it says so once, serves on and keeps trying.

keepalived is a stand-in (the file keepalived beside this one): the faults are its purpose. There is no kernel table
here, so that what is observed is keepalived's configuration, `coracle status` and the log.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import badinput
from badinput import CONFIG, HERE, Failed, expect_failure, served

WEB, API = served("web", "172.16.1.2"), served("api", "172.16.1.3")
PATIENCE = 20  # s; the applier tries again after 5


class Daemon:
    """A running controller over objects/ of a scratch directory."""

    def __init__(self, scratch, keepalived=None, prepare=None, flags=()):
        self.scratch = scratch
        os.makedirs(f"{scratch.path}/objects", exist_ok=True)
        shutil.copy(f"{HERE}/keepalived", f"{scratch.path}/keepalived")
        if prepare:
            prepare()
        with open(f"{scratch.path}/log", "wb") as log:
            self.process = subprocess.Popen(
                [*self.arguments(scratch), "--keepalived", keepalived or f"{scratch.path}/keepalived", *flags],
                cwd=scratch.path, stdout=log, stderr=log)

    @staticmethod
    def arguments(scratch):
        return [scratch.coracle, "controller", "--config", "coracle.yaml", "--templates", "templates", "--objects",
                "objects", "--run-dir", "run"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    pass

    def log(self):
        return self.scratch.read("log")

    def config(self):
        return self.scratch.read("run/keepalived.conf")

    def servers(self):
        """The real servers in what keepalived was given."""
        return sorted(set(re.findall(r"real_server (\S+) ", self.config())))

    def status(self):
        result = self.scratch.run("status", "--run-dir", "run", "--output", "json")
        return json.loads(result.stdout) if result.returncode == 0 else {}

    def problems(self):
        return [(problem["service"], problem["reason"]) for problem in self.status().get("problems", [])]

    def expect(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None:
                raise Failed(f"it ended with {self.process.returncode}\n{self.log()}")
            if time.monotonic() > deadline:
                raise Failed(f"not within {PATIENCE} s: {what}\n{self.config()}\n{self.log()}")
            time.sleep(0.05)

    def expect_servers(self, *addresses):
        self.expect(lambda: self.servers() == sorted(addresses), f"servers {addresses}")

    def expect_log(self, pattern):
        self.expect(lambda: re.search(pattern, self.log()), f"log {pattern}")

    def expect_problem(self, *problem):
        self.expect(lambda: problem in self.problems(), f"problem {problem}")


def serving(scratch, **more):
    scratch.write("objects/web.yaml", WEB)
    scratch.write("objects/api.yaml", API)
    return Daemon(scratch, **more)


def flag(scratch, name, text=""):
    return scratch.write(name, text)


# ---- objects

def good_objects_are_applied_and_shown(scratch):
    with serving(scratch) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        daemon.expect(lambda: daemon.status().get("keepalived_up"), "keepalived up")
        status = daemon.status()
        if [vip["address"] for vip in status["vips"]] != ["10.1.1.1", "10.1.1.2"] or status["problems"]:
            raise Failed(json.dumps(status))


def bad_file_keeps_its_last_good_objects_and_others_move_on(scratch):
    with serving(scratch) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        scratch.write("objects/web.yaml", WEB[:-30])
        daemon.expect_log(r"level=\w+ module=objects_dir .*web\.yaml:\d+")
        scratch.write("objects/api.yaml", served("api", "172.16.1.4"))
        daemon.expect_servers("172.16.1.2", "172.16.1.4")
        scratch.write("objects/web.yaml", served("web", "172.16.1.5"))
        daemon.expect_servers("172.16.1.4", "172.16.1.5")


def bad_object_keeps_its_last_good_version_and_others_of_its_file_move_on(scratch):
    with Daemon(scratch, prepare=lambda: scratch.write("objects/all.yaml", WEB + API)) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        bad = served("web", "soon").replace("172.16.1.2", "soon")
        scratch.write("objects/all.yaml", bad + served("api", "172.16.1.4"))
        daemon.expect_log(r"its last good version stays.*EndpointSlice shop/web-1.*endpoints\[0\]")
        daemon.expect_servers("172.16.1.2", "172.16.1.4")


def file_that_is_no_text_and_one_that_is_huge_change_nothing(scratch):
    with serving(scratch) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        scratch.write("objects/web.yaml", b"\x00\xff\xfe" * 100)
        daemon.expect_log(r"module=objects_dir .*web\.yaml")
        with open(f"{scratch.path}/huge", "wb") as file:
            os.truncate(file.fileno(), (1 << 30) + 1)
        os.rename(f"{scratch.path}/huge", f"{scratch.path}/objects/web.yaml")
        daemon.expect_log(r"web\.yaml.*larger than")
        scratch.write("objects/api.yaml", served("api", "172.16.1.4"))
        daemon.expect_servers("172.16.1.2", "172.16.1.4")


def bad_annotation_is_a_problem_of_its_service_only(scratch):
    with serving(scratch) as daemon:
        scratch.write("objects/api.yaml",
                      served("api", "172.16.1.3", annotations=r'coracle.lb/scheduler: "rr\n}\nnotify_up /bin/true"'))
        daemon.expect_problem("shop/api", "BadAnnotation")
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        if "notify_up" in daemon.config():
            raise Failed(daemon.config())
        daemon.expect_log(r"service=shop/api reason=BadAnnotation")


# ---- keepalived's opinion

def refused_new_service_is_left_out_and_others_are_served(scratch):
    with serving(scratch, prepare=lambda: flag(scratch, "refuse", "172.16.1.66\n")) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        scratch.write("objects/bad.yaml", served("bad", "172.16.1.66"))
        scratch.write("objects/api.yaml", served("api", "172.16.1.4"))
        daemon.expect_servers("172.16.1.2", "172.16.1.4")
        daemon.expect_problem("shop/bad", "TemplateFailed")


def refused_change_keeps_what_runs_of_that_service(scratch):
    with serving(scratch, prepare=lambda: flag(scratch, "refuse", "172.16.1.66\n")) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        scratch.write("objects/web.yaml", served("web", "172.16.1.66"))
        scratch.write("objects/api.yaml", served("api", "172.16.1.4"))
        daemon.expect_servers("172.16.1.2", "172.16.1.4")
        daemon.expect_problem("shop/web", "TemplateFailed")
        daemon.expect_log(r"keepalived refuses a part.*172\.16\.1\.66")


def service_with_less_than_its_templates_quorum_stops_nobody_else(scratch):
    mine = served("web", "172.16.1.2", "172.16.1.9", annotations="coracle.lb/template: mine")
    scratch.write("templates/mine", scratch.read("templates/virtual_server").replace("    alpha\n", "    alpha\n    quorum 2\n"))
    with serving(scratch, keepalived=f"{scratch.path}/real", prepare=lambda: real_validator(scratch, mine)) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3", "172.16.1.9")
        scratch.write("objects/web.yaml", mine.replace(", {addresses: [172.16.1.9]}", ""))
        scratch.write("objects/api.yaml", served("api", "172.16.1.4"))
        daemon.expect_servers("172.16.1.2", "172.16.1.4", "172.16.1.9")
        daemon.expect_problem("shop/web", "TemplateFailed")


def real_validator(scratch, web):
    """-t by the keepalived that is installed, the rest by the stand-in."""
    scratch.write("objects/web.yaml", web)
    scratch.write("real", '#!/bin/sh\n[ "$1" != -t ] || exec keepalived "$@"\nexec "$(dirname "$0")/keepalived" "$@"\n')
    os.chmod(f"{scratch.path}/real", 0o755)


def refusal_that_names_nobody_changes_nothing_and_is_tried_again(scratch):
    with serving(scratch) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        flag(scratch, "complain", "There are 1 missing '}'s or extra '{'s\n")
        scratch.write("objects/web.yaml", served("web", "172.16.1.5"))
        daemon.expect_log(r"cannot apply; keeping what runs.*missing '}'s")
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        os.unlink(f"{scratch.path}/complain")
        daemon.expect_servers("172.16.1.3", "172.16.1.5")


# ---- keepalived's life

def missing_keepalived_is_told_and_used_once_it_is_there(scratch):
    with serving(scratch, keepalived=f"{scratch.path}/later") as daemon:
        daemon.expect_log(r"cannot apply.*cannot run .*later: No such file")
        os.rename(f"{scratch.path}/keepalived", f"{scratch.path}/later")
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        daemon.expect(lambda: daemon.status().get("keepalived_up"), "keepalived up")


def keepalived_that_dies_at_start_is_started_again_until_it_stays(scratch):
    with serving(scratch, prepare=lambda: flag(scratch, "die")) as daemon:
        daemon.expect_log(r"(?s)died; starting it again.*died; starting it again")
        scratch.write("objects/api.yaml", served("api", "172.16.1.4"))
        daemon.expect_servers("172.16.1.2", "172.16.1.4")
        if daemon.status()["vips"][0]["route"] == "announced":
            raise Failed("announced without keepalived")
        os.unlink(f"{scratch.path}/die")
        daemon.expect(lambda: "start" in scratch.read("signals"), "a start")
        daemon.expect(lambda: daemon.status().get("keepalived_up"), "keepalived up")


def killed_keepalived_is_started_again(scratch):
    with serving(scratch) as daemon:
        daemon.expect(lambda: scratch.read("signals").count("start") == 1, "a start")
        pid = re.findall(r"module=keepalived msg=started pid=(\d+)", daemon.log())
        os.kill(int(pid[0]), signal.SIGKILL)
        daemon.expect_log(r"died; starting it again.*signal=9")
        daemon.expect(lambda: scratch.read("signals").count("start") == 2, "a second start")


def same_content_is_no_reload(scratch):
    with serving(scratch) as daemon:
        daemon.expect(lambda: "start" in scratch.read("signals"), "a start")
        scratch.write("objects/web.yaml", WEB + "# a comment\n")
        time.sleep(1)
        if "reload" in scratch.read("signals"):
            raise Failed("reloaded for nothing")
        scratch.write("objects/web.yaml", served("web", "172.16.1.5"))
        daemon.expect(lambda: "reload" in scratch.read("signals"), "a reload")


# ---- who may connect

def restricting(scratch, **more):
    """api may be reached from one range only; iptables is a stand-in that refuses while there is a file `sick`."""
    scratch.write("iptables", 'cat "$4" >> "$(dirname "$0")/rules"; echo "no right"; [ ! -e "$(dirname "$0")/sick" ]\n')
    scratch.write("iptables", "#!/bin/sh\n" + scratch.read("iptables"))
    os.chmod(f"{scratch.path}/iptables", 0o755)
    scratch.write("objects/api.yaml", served("api", "172.16.1.3", spec=", loadBalancerSourceRanges: [10.0.0.0/8]"))
    scratch.write("objects/web.yaml", WEB)
    return Daemon(scratch, flags=("--iptables", f"{scratch.path}/iptables"), **more)


def source_ranges_are_in_force_before_the_service_is(scratch):
    with restricting(scratch) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        if "-d 10.1.1.1/32 -p tcp -m tcp --dport 80 -s 10.0.0.0/8 -j RETURN" not in scratch.read("rules"):
            raise Failed(scratch.read("rules"))
        rules = os.stat(f"{scratch.path}/rules")
        if rules.st_mtime_ns > os.stat(f"{scratch.path}/run/keepalived.conf").st_mtime_ns:
            raise Failed("the rules came after the service")
        scratch.write("objects/web.yaml", served("web", "172.16.1.5"))
        daemon.expect_servers("172.16.1.3", "172.16.1.5")
        if os.stat(f"{scratch.path}/rules").st_size != rules.st_size:
            raise Failed("rules that did not change were restored again")


def source_ranges_that_cannot_be_put_in_force_withhold_their_service_only(scratch):
    with restricting(scratch, prepare=lambda: flag(scratch, "sick")) as daemon:
        daemon.expect_servers("172.16.1.2")
        daemon.expect_log(r"level=error module=source-ranges .*where=\S*/iptables error=.no right")
        daemon.expect(lambda: daemon.status()["vips"][0]["route"] == "source-ranges-not-applied", "withheld")
        if daemon.status()["vips"][1]["route"] == "source-ranges-not-applied":
            raise Failed("another service is withheld too")
        os.unlink(f"{scratch.path}/sick")
        daemon.expect_servers("172.16.1.2", "172.16.1.3")


def iptables_of_another_name_ends_the_start(scratch):
    os.makedirs(f"{scratch.path}/objects")
    result = scratch.run(*Daemon.arguments(scratch)[1:], "--iptables", "nft")
    expect_failure(result, 2, r'ts=.*msg="cannot start" where=--iptables error="must name')


# ---- surroundings

def run_dir_that_cannot_be_made_ends_the_start(scratch):
    os.makedirs(f"{scratch.path}/objects")
    scratch.write("run", "a file")
    for path, reason in (("run/deeper", "Not a directory"), ("no/where", "No such file")):
        result = scratch.run(*Daemon.arguments(scratch)[1:-1], path)
        expect_failure(result, 1, f'ts=.* level=error .*msg="cannot start" where={path} error="cannot make .*{reason}')


def run_dir_that_cannot_be_written_keeps_what_runs_and_is_tried_again(scratch):
    with serving(scratch) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        os.mkdir(f"{scratch.path}/run/keepalived.conf.new")  # in the way; permissions do not stop root
        scratch.write("objects/web.yaml", served("web", "172.16.1.5"))
        daemon.expect_log(r"cannot apply; keeping what runs.*keepalived\.conf\.new")
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        os.rmdir(f"{scratch.path}/run/keepalived.conf.new")
        daemon.expect_servers("172.16.1.3", "172.16.1.5")


def bad_configuration_ends_the_start(scratch):
    os.makedirs(f"{scratch.path}/objects")
    for text, message in ((CONFIG + "colour: red\n", r"coracle\.yaml:6 error=.unknown key 'colour'"), ("", r"coracle\.yaml error=")):
        scratch.write("coracle.yaml", text)
        expect_failure(scratch.run(*Daemon.arguments(scratch)[1:]), 2, f'ts=.*level=error.*msg="cannot start" where={message}')
    os.unlink(f"{scratch.path}/coracle.yaml")
    expect_failure(scratch.run(*Daemon.arguments(scratch)[1:]), 2, r'ts=.*msg="cannot start" where=coracle\.yaml error="cannot open')


def missing_templates_end_the_start(scratch):
    os.makedirs(f"{scratch.path}/objects")
    shutil.rmtree(f"{scratch.path}/templates")
    expect_failure(scratch.run(*Daemon.arguments(scratch)[1:]), 2, r'ts=.*msg="cannot start" where=templates error="cannot open')


def missing_objects_directory_ends_the_start(scratch):
    expect_failure(scratch.run(*Daemon.arguments(scratch)[1:]), 1, r'ts=.*msg="cannot start" where=objects error="cannot read')


# ---- templates, edited while it runs

def edited_frame_that_is_broken_leaves_the_old_ones(scratch):
    with serving(scratch) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        scratch.write("templates/ipvs.conf", "{{#a}}\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.expect_log(r"not read; the old ones stay.*templates/ipvs\.conf:\d")
        scratch.write("objects/web.yaml", served("web", "172.16.1.5"))
        daemon.expect_servers("172.16.1.3", "172.16.1.5")


def edited_template_with_a_missing_variable_holds_its_service_only(scratch):
    mine = served("web", "172.16.1.2", annotations="coracle.lb/template: mine")
    good = scratch.read("templates/virtual_server")
    scratch.write("templates/mine", good)
    with serving(scratch, prepare=lambda: scratch.write("objects/web.yaml", mine)) as daemon:
        daemon.expect_servers("172.16.1.2", "172.16.1.3")
        scratch.write("templates/mine", good.replace("{{scheduler}}", "{{sheduler}}"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.expect_problem("shop/web", "TemplateFailed")
        daemon.expect_log(r"templates/mine:\d+: .*sheduler.*keeping what runs")
        scratch.write("objects/web.yaml", mine.replace("172.16.1.2", "172.16.1.5"))
        scratch.write("objects/api.yaml", served("api", "172.16.1.4"))
        daemon.expect_servers("172.16.1.2", "172.16.1.4")
        scratch.write("templates/mine", good)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.expect_servers("172.16.1.4", "172.16.1.5")
        daemon.expect(lambda: not daemon.problems(), "no problem any more")


if not badinput.keepalived_is_here():
    del service_with_less_than_its_templates_quorum_stops_nobody_else
badinput.main(dict(globals()), at_once=6)
