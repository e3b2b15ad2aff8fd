"""coracle check with configurations and templates that are wrong: what an operator sees before he applies them."""
import os
import re
import subprocess

import badinput
from badinput import CONFIG, Failed, expect_failure

ACCEPTING = "#!/bin/sh\nexit 0\n"
COMPLAINING = "#!/bin/sh\necho \"($5: Line 7) Unknown keyword 'x'\"\nexit 5\n"


def program(scratch, text):
    path = scratch.write("keepalived", text)
    os.chmod(path, 0o755)
    return "--keepalived", path


def expect_fine(result, words):
    if result.returncode or result.stderr or words not in result.stdout:
        raise Failed(f"exit code {result.returncode}\n{result.stdout}{result.stderr}")


def shipped_templates_are_fine(scratch):
    expect_fine(scratch.check(*program(scratch, ACCEPTING)), "coracle.yaml and the templates in templates are fine")


def shipped_templates_are_fine_for_the_real_keepalived(scratch):
    expect_fine(scratch.check(), "are fine")


def missing_keepalived_is_said_and_no_error(scratch):
    expect_fine(scratch.check("--keepalived", "/nowhere/keepalived"), "keepalived is not installed here")


def complaint_of_keepalived_is_passed_on(scratch):
    expect_failure(scratch.check(*program(scratch, COMPLAINING)), 2, r"coracle: .*Line 7\) Unknown keyword 'x'")


def keepalived_that_fails_silently_or_dies_is_an_error(scratch):
    expect_failure(scratch.check(*program(scratch, "#!/bin/sh\nexit 3\n")), 2, r"coracle: .*keepalived: \S")
    expect_failure(scratch.check(*program(scratch, "#!/bin/sh\nkill -9 $$\n")), 2, r"coracle: .*keepalived: \S")


def file_that_cannot_be_written_is_said_and_removed(scratch):
    check = "trap '' XFSZ; ulimit -f 0; exec \"$0\" check --config coracle.yaml --templates templates"
    result = subprocess.run(["sh", "-c", check, scratch.coracle], cwd=scratch.path, capture_output=True, text=True, timeout=60,
                            check=False)
    expect_failure(result, 2, r"coracle: /tmp/coracle-check-\w+: cannot write: File too large")
    path = re.search(r"/tmp/coracle-check-\w+", result.stderr).group()
    if os.path.exists(path):
        raise Failed(f"{path} is left behind")


def bad_configuration_is_named_with_its_line(scratch):
    for text, message in (
            (CONFIG + "colour: red\n", r"coracle\.yaml:6: unknown key 'colour' \(known here: "),
            (CONFIG + "defaults:\n  healthCheck: {type: icmp}\n", r"coracle\.yaml:7: type must be tcp, none or"),
            (CONFIG.replace("10.1.1.0/24", "10.1.1.7/24"), r"coracle\.yaml:2: prefixes must be"),
            (CONFIG + "  announce: {ipv4Length: 8}\n", r"coracle\.yaml:3: announce: a route of length 8"),
            ("", r"coracle\.yaml: must hold one YAML document")):
        scratch.write("coracle.yaml", text)
        expect_failure(scratch.check(), 2, f"coracle: {message}")


def missing_files_are_named(scratch):
    expect_failure(scratch.run("check", "--config", "nowhere.yaml"), 2, r"coracle: nowhere\.yaml: cannot open")
    expect_failure(scratch.run("check", "--config", "coracle.yaml", "--templates", "nowhere"), 2,
                   r"coracle: nowhere: cannot open the templates' directory")
    os.unlink(f"{scratch.path}/templates/virtual_server")
    expect_failure(scratch.check(), 2, r"coracle: templates: the templates ipvs\.conf and virtual_server must be here")


def bad_template_is_named_with_its_line(scratch):
    for text, message in (
            ("a\nb {{sheduler}}\n", r"templates/mine:2: \{\{sheduler\}\}: not in the view; left out"),
            ("a\n{{#vip}}\n", r"templates/mine:2: "), ("a\n{{/vip}}\n", r"templates/mine:2: "),
            ("a\n{{vip\n", r"templates/mine:2: "), ("{{> other}}\n", r"templates/mine:1: "),
            ("{{=<% %>=}}\n", r"templates/mine:1: "), ("x {\n", "mine: the template's braces do not balance"),
            ("", "mine: the template renders nothing")):
        scratch.write("templates/mine", text)
        expect_failure(scratch.check(*program(scratch, ACCEPTING)), 2, f"coracle: {message}")


def bad_frame_is_named(scratch):
    for text, message in (("{{nothing}}\n", r"templates/ipvs\.conf:1: "), ("{{virtual_servers}}\n", r"ipvs\.conf: its last line")):
        scratch.write("templates/ipvs.conf", text)
        expect_failure(scratch.check(), 2, f"coracle: {message}")


def template_that_keepalived_refuses_is_found(scratch):
    text = scratch.read("templates/virtual_server")
    scratch.write("templates/virtual_server", text.replace("lb_algo {{scheduler}}", "lb_algorithm {{scheduler}}"))
    expect_failure(scratch.check(), 2, r"coracle: keepalived: .*Unknown keyword 'lb_algorithm'")


if not badinput.keepalived_is_here():
    del shipped_templates_are_fine_for_the_real_keepalived, template_that_keepalived_refuses_is_found
badinput.main(dict(globals()), at_once=2)
