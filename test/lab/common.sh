# shellcheck shell=sh
# What start, stop, shell, run and the demo share. Sourced, with $root set to the top of the project.
# CORACLE_LAB: the directory of the running lab, so that several can run side by side.
# CORACLE_PRESET: which build the lab runs (release).

lab=${CORACLE_LAB:-${XDG_RUNTIME_DIR:-/tmp}/coracle-lab-$(id -u)}
preset=${CORACLE_PRESET:-release}
build=${root:?}/build/$preset
python=/usr/bin/python3

client() { "$python" "$root/test/lab/client.py" "$lab" "$@"; }

lab_runs() { [ -S "$lab/socket" ] && [ -e "$lab/pid" ] && kill -0 "$(cat "$lab/pid")" 2>/dev/null; }

# lab_launch MINUTES: starts the guest and returns at once. It boots while the project is built, and waits
# for the file "built" before it starts what is built.
lab_launch() {
    if lab_runs; then
        echo "a lab is running already ($lab); test/lab/stop ends it" >&2
        return 1
    fi
    trixie=$("$root/test/lab/fetch-router-gobgpd")
    rm -rf "$lab"
    mkdir -m 700 "$lab"
    mkdir -p "$lab/bin" "$build"
    cc -O2 -o "$lab/bin/load" "$root/test/lab/load.c"
    setsid "$python" "$root/test/lab/host.py" --dir "$lab" --build "$build" --trixie "$trixie" --minutes "$1" \
        > "$lab/host.log" 2>&1 < /dev/null &
    echo $! > "$lab/pid"
}

lab_build() {
    { cd "$root" && cmake --preset "$preset" && cmake --build --preset "$preset"; } > "$lab/build.log" 2>&1 || {
        cat "$lab/build.log" >&2
        return 1
    }
    lab_render
    touch "$lab/built"
}

# What does not differ from pod to pod is rendered here: a process costs a hundred times more in the guest.
lab_render() {
    mkdir -p "$lab/rendered"
    for template in gobgpd-reflector.yml gobgpd-router.yml zebra.conf; do
        "$build/controller/coracle" render --values "$root/routers/site.yaml" "$root/templates/$template" \
            > "$lab/rendered/$template"
    done
    "$build/controller/coracle" render --config "$root/test/lab/coracle.yaml" --output pools > "$lab/rendered/pools"
}

lab_logs() {
    for log in "$lab/host.log" "$lab/console.log" "$lab"/logs/*; do
        echo "--- $log"
        tail -n 40 "$log"
    done
}
