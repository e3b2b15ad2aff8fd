"""coracle render with input that is wrong: one clear message, the exit code of the design, nothing on stdout."""
import json
import os
import re

import badinput
from badinput import CONFIG, Failed, expect_failure, served, service

GOOD = served("web", "172.16.1.2")


def render_bad(scratch, text, message, name="objects.json"):
    scratch.write(name, text)
    expect_failure(scratch.render(name), 2, message)


def as_json(**members):
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "web"},
                       **members})


def slice_json(**members):
    return json.dumps({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                       "metadata": {"namespace": "shop", "name": "web-1"}, **members})


# ---- files

def truncated_json_names_the_line(scratch):
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": [json.loads(as_json())]}, indent=1)
    for length in (1, len(whole) // 3, len(whole) // 2, len(whole) - 2):
        render_bad(scratch, whole[:length], r"coracle: objects\.json:\d+: ")


def truncated_yaml_names_the_line(scratch):
    render_bad(scratch, GOOD[:GOOD.index("spec: {") + 20], r"coracle: objects\.yaml:\d+: ", "objects.yaml")


def file_cut_in_a_gap_is_the_smaller_one(scratch):
    scratch.write("objects.yaml", service("web"))
    result = scratch.render("objects.yaml")
    if result.returncode or "virtual_server" in result.stdout:
        raise Failed(result.stderr)


def empty_file_holds_no_objects(scratch):
    scratch.write("objects.yaml", "")
    if scratch.render("objects.yaml").returncode:
        raise Failed("an empty file is no error")


def missing_file_is_named(scratch):
    expect_failure(scratch.render("nowhere.yaml"), 2, r"coracle: nowhere\.yaml: cannot open: No such file")


def directory_is_no_file(scratch):
    expect_failure(scratch.render("templates"), 2, r"coracle: templates: cannot read: Is a directory")


def second_file_is_named_when_it_is_the_bad_one(scratch):
    scratch.write("good.yaml", GOOD)
    scratch.write("bad.yaml", "a: [")
    expect_failure(scratch.render("good.yaml", "bad.yaml"), 2, r"coracle: bad\.yaml:\d+: ")


def file_beyond_the_limit_is_refused_unread(scratch):
    with open(f"{scratch.path}/huge.json", "wb") as file:
        os.truncate(file.fileno(), (1 << 30) + 1)
    expect_failure(scratch.render("huge.json"), 2, r"coracle: huge\.json: .*larger than")


def huge_name_gives_a_short_message(scratch):
    text = as_json(metadata={"namespace": "shop", "name": "a" * (8 << 20)})
    render_bad(scratch, text, r"coracle: Service shop/a+: metadata: no valid name")


def huge_annotation_is_no_danger(scratch):
    scratch.write("objects.json", as_json(
        metadata={"namespace": "shop", "name": "web", "annotations": {"coracle.lb/scheduler": "r" * (8 << 20)}},
        spec={"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp", "ports": [{"port": 80}]}))
    result = scratch.render("objects.json")
    if result.returncode or len(result.stderr) > 300 or "Service shop/web: BadAnnotation" not in result.stderr:
        raise Failed(result.stderr[:1000])


def deep_nesting_is_refused(scratch):
    deep = 100000
    for text in ("[" * deep, '{"a":' * deep, '{"a":' + "[" * deep + "]" * deep + "}"):
        render_bad(scratch, text, r"coracle: objects\.json:1: ")
    render_bad(scratch, "a: " + "[" * deep, r"coracle: objects\.yaml:1: nested too deeply", "objects.yaml")


def lists_in_lists_are_refused_when_too_deep(scratch):
    text = as_json()
    for _ in range(500):
        text = f'{{"apiVersion": "v1", "kind": "List", "items": [{text}]}}'
    render_bad(scratch, text, r"coracle: objects\.json")


def aliases_that_multiply_are_refused(scratch):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    render_bad(scratch, "\n".join(lines) + "\n", r"coracle: objects\.yaml:\d+: ", "objects.yaml")


def bytes_that_are_no_text_are_refused(scratch):
    render_bad(scratch, b'{"kind": "\xff\xfe\x00"}', r"coracle: objects\.json:1: ")
    render_bad(scratch, b"\x00\x01\x02", r"coracle: objects\.yaml:1: ", "objects.yaml")


def duplicate_keys_are_refused(scratch):
    render_bad(scratch, '{"kind": "Service", "kind": "Pod"}', r"coracle: objects\.json:1: duplicate object key")


def what_is_no_kubernetes_object_is_refused(scratch):
    for text in ("{}", '{"kind": 7, "apiVersion": "v1"}'):
        render_bad(scratch, text, r"coracle: objects\.json: .*(kind|apiVersion)")
    for text in ("7\n", "- a\n", "just words\n"):
        render_bad(scratch, text, r"coracle: objects\.yaml:1: .*(kind|apiVersion)", "objects.yaml")


# ---- objects

def wrong_types_name_the_object_and_the_member(scratch):
    for spec, member in (
            (7, "spec"), ({"ports": 7}, "ports"), ({"ports": [7]}, r"ports\[0\]"),
            ({"ports": [{"port": "80"}]}, r"ports\[0\]\.port"), ({"ports": [{"port": 0}]}, r"ports\[0\]\.port"),
            ({"ports": [{"port": 65536}]}, r"ports\[0\]\.port"), ({"ports": [{"port": 80.5}]}, r"ports\[0\]\.port"),
            ({"ports": [{"port": 80, "protocol": "GRE"}]}, r"ports\[0\]\.protocol"),
            ({"type": []}, "type"), ({"loadBalancerClass": 1}, "loadBalancerClass"), ({"loadBalancerIP": {}}, "loadBalancerIP"),
            ({"ipFamilies": "IPv4"}, "ipFamilies"), ({"ipFamilies": ["IPv5"]}, "ipFamilies"),
            ({"sessionAffinity": "Cookie"}, "sessionAffinity"),
            ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": -1}}},
             "timeoutSeconds")):
        render_bad(scratch, as_json(spec=spec), f"coracle: Service shop/web: .*{member}")
    render_bad(scratch, as_json(status={"loadBalancer": {"ingress": [{"ip": "soon"}]}}),
               r"coracle: Service shop/web: ingress\[0\]\.ip is no IP address")
    render_bad(scratch, as_json(metadata={"namespace": "shop", "name": "web", "annotations": []}),
               "coracle: Service shop/web: .*annotations")
    render_bad(scratch, as_json(metadata={"namespace": "shop", "name": "web",
                                          "annotations": {"coracle.lb/forwarding": True}}),
               "coracle: Service shop/web: .*coracle.lb/forwarding")


def wrong_types_in_a_slice_name_the_slice(scratch):
    for members, what in (
            ({"endpoints": {}}, "endpoints"), ({"endpoints": [{"addresses": []}]}, r"endpoints\[0\]\.addresses"),
            ({"endpoints": [{"addresses": ["172.16.1.1"]}, {"addresses": ["x y"]}]}, r"endpoints\[1\]\.addresses"),
            ({"endpoints": [{"addresses": ["fd00::1"]}]}, r"endpoints\[0\]\.addresses"),
            ({"endpoints": [{"addresses": ["172.16.1.1"], "conditions": {"ready": "yes"}}]}, "ready"),
            ({"ports": [{"port": -1}]}, r"ports\[0\]\.port"), ({"addressType": 4}, "addressType")):
        render_bad(scratch, slice_json(**members), f"coracle: EndpointSlice shop/web-1: .*{what}")


def names_that_inject_text_are_refused(scratch):
    for name in ("web\n}\nvirtual_server 192.0.2.1 80 {", "web {", "web }", 'web"', "web web", "../web", "", "web#"):
        render_bad(scratch, as_json(metadata={"namespace": "shop", "name": name}), r"coracle: \S.*metadata: no valid name")
        render_bad(scratch, as_json(metadata={"namespace": name, "name": "web"}), r"coracle: \S.*metadata: no valid name")


def port_names_and_labels_never_reach_the_configuration(scratch):
    evil = "http }\n    notify_up /bin/true"
    scratch.write("objects.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        json.loads(as_json(spec={"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp",
                                 "ports": [{"name": evil, "port": 80}]})),
        json.loads(slice_json(metadata={"namespace": "shop", "name": "web-1",
                                        "labels": {"kubernetes.io/service-name": "web", "app": evil}},
                              ports=[{"name": evil, "port": 8080}],
                              endpoints=[{"addresses": ["172.16.1.1"], "nodeName": evil}]))]}))
    result = scratch.render("objects.json")
    if "notify" in result.stdout:
        raise Failed(result.stdout)


def annotations_that_inject_text_cost_the_default_only(scratch):
    plain = scratch.render(scratch.write("objects.yaml", GOOD)).stdout
    evil = r'"%s\n}\nvirtual_server 192.0.2.1 80 {\n notify_up /bin/true\n"'
    for key, value in (("forwarding", "nat"), ("scheduler", "rr"), ("health-check", "http:/x"), ("template", "virtual_server"),
                       ("health-check", "tcp"), ("template", "../../etc/passwd")):
        text = served("web", "172.16.1.2", annotations=f"coracle.lb/{key}: {evil % value}")
        result = scratch.render(scratch.write("objects.yaml", text))
        if result.returncode or result.stdout != plain:
            raise Failed(f"{key}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
        if not re.fullmatch(f"coracle: Service shop/web: BadAnnotation: coracle.lb/{key} .*\n", result.stderr):
            raise Failed(result.stderr)


# ---- configuration and templates

def bad_configuration_is_named_with_its_line(scratch):
    scratch.write("objects.yaml", GOOD)
    for text, message in (
            (CONFIG + "colour: red\n", r"coracle\.yaml:6: unknown key 'colour'"), (CONFIG + "bgp: [\n", r"coracle\.yaml:\d: "),
            (CONFIG.replace("65021\n", "none\n", 1), r"coracle\.yaml:4: localAS must be"), ("", r"coracle\.yaml: must hold one"),
            (b"\xff\xfe\x00\x00", r"coracle\.yaml"), ("a: " + "[" * 100000, r"coracle\.yaml:1: nested too deeply"),
            ("#" * ((1 << 20) + 1), r"coracle\.yaml: .*larger than")):
        scratch.write("coracle.yaml", text)
        expect_failure(scratch.render("objects.yaml"), 2, f"coracle: {message}")
    os.unlink(f"{scratch.path}/coracle.yaml")
    expect_failure(scratch.render("objects.yaml"), 2, r"coracle: coracle\.yaml: cannot open: No such file")


def missing_variable_leaves_out_the_service(scratch):
    scratch.write("objects.yaml", served("web", "172.16.1.2", annotations="coracle.lb/template: mine") + served("api", "172.16.1.3"))
    scratch.write("templates/mine", "line 1\n{{sheduler}}\n")
    result = scratch.render("objects.yaml")
    if result.returncode or "# shop/api" not in result.stdout or "line 1" in result.stdout:
        raise Failed(f"{result.returncode}\n{result.stdout}")
    if not re.fullmatch(r"coracle: Service shop/web: TemplateFailed: templates/mine:2: \{\{sheduler\}\}: .*left out\n", result.stderr):
        raise Failed(result.stderr)


def template_of_its_own_that_is_broken_costs_only_its_service(scratch):
    scratch.write("objects.yaml", served("web", "172.16.1.2", annotations="coracle.lb/template: mine") + served("api", "172.16.1.3"))
    scratch.write("templates/mine", "{{#a}}\n")
    result = scratch.render("objects.yaml")
    if result.returncode or result.stdout.count("virtual_server 10.1.1.") != 2:
        raise Failed(f"{result.returncode}\n{result.stdout}")
    if not re.match(r"coracle: templates/mine:\d: .*\ncoracle: Service shop/web: TemplateMissing: ", result.stderr):
        raise Failed(result.stderr)


def frame_that_is_broken_or_missing_is_named(scratch):
    scratch.write("objects.yaml", GOOD)
    for text, message in (("one\n{{^a}}\n", r"templates/ipvs\.conf:\d: "), ("{{nothing}}\n", r"templates/ipvs\.conf:1: \{\{nothing"),
                          ("x\n", r"ipvs\.conf: must contain"), ("{{virtual_servers}}\n", r"ipvs\.conf: its last line must be")):
        scratch.write("templates/ipvs.conf", text)
        expect_failure(scratch.render("objects.yaml"), 2, f"coracle: {message}")
    os.unlink(f"{scratch.path}/templates/ipvs.conf")
    expect_failure(scratch.render("objects.yaml"), 2, r"coracle: templates: the templates ipvs\.conf and virtual_server must be here")


def values_that_do_not_fit_a_template_are_named(scratch):
    scratch.write("values.yaml", "name: web\n")
    scratch.write("any.conf", "{{name}}\n{{missing}}\n")
    expect_failure(scratch.run("render", "--values", "values.yaml", "any.conf"), 2, r"coracle: any\.conf:2: \{\{missing\}\}")
    expect_failure(scratch.run("render", "--values", "values.yaml", "none.conf"), 2, r"coracle: none\.conf: cannot open")
    expect_failure(scratch.run("render", "--values", "none.yaml", "any.conf"), 2, r"coracle: none\.yaml: cannot open")
    scratch.write("values.yaml", "a: [\n")
    expect_failure(scratch.run("render", "--values", "values.yaml", "any.conf"), 2, r"coracle: values\.yaml:2: ")


def values_after_a_template_are_set_or_named(scratch):
    scratch.write("values.yaml", "name: web\nhold: 9\nnothing: false\n")
    scratch.write("any.conf", "{{name}} {{hold}} {{nothing.deep}}\n")
    scratch.write("secret", "pass:word\nsecond line\n")
    render = ("render", "--values", "values.yaml", "any.conf")
    good = scratch.run(*render, "hold=3", "name=@secret", "nothing.deep=a=b")
    if good.returncode or good.stdout != "pass:word 3 a=b\n":
        raise Failed(f"{good.returncode}\n{good.stdout}{good.stderr}")
    for setting, message in (("hold", r"hold: must be NAME=VALUE"), ("hold=", r"hold: there is no value"),
                             ("=3", r"a name is empty"), ("name.x=3", r"name\.x: \"name\" is no mapping"),
                             ("hold=[", r"hold:\d: "), ("name=@none", r"none: cannot open"),
                             ("nothing.dep=3", r"any\.conf:1: \{\{nothing\.deep\}\}")):
        expect_failure(scratch.run(*render, setting), 2, f"coracle: {message}")


def passwords_that_would_mean_something_in_a_configuration_are_refused_and_not_shown(scratch):
    """In YAML, exabgp.conf or frr.conf; and TCP MD5 takes 80 bytes."""
    scratch.write("values.yaml", "password: false\n")
    scratch.write("any.conf", "{{password}}\n")
    scratch.write("coracle.yaml", CONFIG + "  passwordFile: secret\n")
    values = ("render", "--values", "values.yaml", "any.conf", "password=@secret")
    exabgp = ("render", "--config", "coracle.yaml", "--templates", "templates", "--output", "exabgp",
              "--pod-address", "172.16.1.2", "--node-address", "10.0.0.106")
    good = "AZaz09+/=._:-" + 67 * "x"
    scratch.write("secret", f"{good}\r\n")
    for arguments in (values, exabgp):
        result = scratch.run(*arguments)
        if result.returncode or good not in result.stdout:
            raise Failed(f"{result.returncode}\n{result.stdout}{result.stderr}")
    for bad in (b'hunt"er', b"hunt\\er", b"hunt er", b"hunt;er", b"hunt{er", b"hunt\xffer", good.encode() + b"x"):
        scratch.write("secret", bad + b"\n")
        for arguments in (values, exabgp):
            result = scratch.run(*arguments)
            expect_failure(result, 2, r"coracle: secret: a password is 1 to 80 of the characters A-Z a-z 0-9 \+ / = \. _ : -$")
            if "hunt" in result.stderr or good in result.stderr:
                raise Failed(f"it is shown: {result.stderr}")


# ---- usage

def wrong_usage_is_told(scratch):
    for arguments, message in (
            ([], "a command is needed"), (["rendr"], "unknown command rendr"), (["render"], "render needs --config"),
            (["render", "--bogus"], "unknown flag --bogus"), (["render", "--config"], "value missing after --config"),
            (["render", "--config", "coracle.yaml"], "--output keepalived needs --objects"),
            (["render", "--config", "coracle.yaml", "--output", "xml"], "--output must be keepalived"),
            (["render", "--log-level", "loud"], "--log-level must be"), (["check"], "check needs --config"),
            (["status", "more"], "status takes no arguments"), (["controller"], "controller needs --config")):
        expect_failure(scratch.run(*arguments), 2, f"coracle: {message}")


def status_without_a_daemon_is_a_failure(scratch):
    expect_failure(scratch.run("status", "--run-dir", "nowhere"), 1, r"coracle: nowhere/coracle\.sock: cannot connect")


def output_that_cannot_be_written_is_a_failure(scratch):
    scratch.write("objects.yaml", GOOD)
    for output in ("keepalived", "view", "routes", "pools"):
        command = f'"$0" render --config coracle.yaml --templates templates --objects objects.yaml --output {output} > /dev/full'
        expect_failure(badinput.subprocess.run(["sh", "-c", command, scratch.coracle], cwd=scratch.path, text=True,
                                               capture_output=True, check=False),
                       1, "coracle: standard output: cannot write: No space left")


badinput.main(dict(globals()), at_once=2)
