# shellcheck shell=sh
# What start, stop, shell, run and the demo share. Sourced, with $root set to the top of the project.
# CORACLE_LAB: the directory of the running lab, so that several can run side by side.
# CORACLE_PRESET: which build the lab runs (release).
# CORACLE_ROUTER: what the upstream router runs, gobgp (with zebra) or frr.
# CORACLE_IMAGES: if not empty, the LB pods run from the images, with deploy/base's rights; see guest/containers.py.

lab=${CORACLE_LAB:-${XDG_RUNTIME_DIR:-/tmp}/coracle-lab-$(id -u)}
preset=${CORACLE_PRESET:-release}
build=${root:?}/build/$preset
python=/usr/bin/python3

client() { "$python" "$root/test/lab/client.py" "$lab" "$@"; }

lab_runs() { [ -S "$lab/socket" ] && [ -e "$lab/pid" ] && kill -0 "$(cat "$lab/pid")" 2>/dev/null; }

# lab_launch MINUTES [OPTION of host.py…]: starts the guest and returns at once. It boots while the project is built, and waits
# for the file "built" before it starts what is built.
lab_launch() {
    minutes=$1
    shift
    if lab_runs; then
        echo "a lab is running already ($lab); test/lab/stop ends it" >&2
        return 1
    fi
    trixie=$("$root/test/lab/fetch-router-gobgpd")
    rm -rf "$lab"
    mkdir -m 700 "$lab"
    mkdir -p "$lab/bin" "$build"
    for program in load slow; do
        cc -O2 -o "$lab/bin/$program" "$root/test/lab/$program.c"
    done
    if [ -n "${CORACLE_IMAGES:-}" ]; then
        cc -O2 -static -o "$lab/bin/tries" "$root/test/lab/tries.c"
        set -- "$@" --kernel "ubd0r=$root/build/images/ipvs.ext4" --kernel "ubd1r=$root/build/images/exabgp.ext4" \
            --kernel "ubd2r=$root/build/images/reflector.ext4"
    fi
    setsid "$python" "$root/test/lab/host.py" --dir "$lab" --build "$build" --trixie "$trixie" --router "${CORACLE_ROUTER:-gobgp}" \
        --minutes "$minutes" "$@" \
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

# lab_values TEMPLATE [NAME=VALUE…]
lab_values() {
    template=$1
    shift
    "$build/controller/coracle" render --values "$root/routers/site.yaml" "$root/templates/$template" \
        "password=@$root/test/lab/bgp-password" "$@"
}

# What does not differ from pod to pod is rendered here: a process costs a hundred times more in the guest.
lab_render() {
    mkdir -p "$lab/rendered"
    lab_values gobgpd-router.yml > "$lab/rendered/gobgpd-router.yml"
    lab_values zebra.conf > "$lab/rendered/zebra.conf"
    lab_values frr.conf > "$lab/rendered/frr.conf"
    lab_values gobgpd-reflector.yml reflector.address=10.0.0.109 > "$lab/rendered/reflector1.yml"
    lab_values gobgpd-reflector.yml reflector.address=10.0.0.111 > "$lab/rendered/reflector2.yml"
    # the check takes most of a second in the guest
    sed 's/^check_interval: 1/check_interval: 3/' "$root/deploy/overlays/vrrp/vrrp.yaml" > "$lab/rendered/vrrp.yaml"
    "$build/controller/coracle" render --values "$lab/rendered/vrrp.yaml" "$root/templates/vrrp.conf" \
        > "$lab/rendered/vrrp.conf"
    "$build/controller/coracle" render --config "$root/test/lab/coracle.yaml" --output pools > "$lab/rendered/pools"
    [ -n "${CORACLE_IMAGES:-}" ] || return 0
    for manifest in base/deployment components/reflector/daemonset overlays/vrrp/daemonset; do
        "$python" -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)' \
            < "$root/deploy/$manifest.yaml" > "$lab/rendered/$(echo "$manifest" | tr / -).json"
    done
    for image in ipvs exabgp reflector; do
        cp "$root/build/images/$image.json" "$lab/rendered/coracle-$image.json"
    done
}

lab_logs() {
    for log in "$lab/host.log" "$lab/console.log" "$lab"/logs/*; do
        echo "--- $log"
        tail -n 40 "$log"
    done
}
