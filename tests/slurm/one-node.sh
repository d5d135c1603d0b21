#!/usr/bin/env bash
# A real Slurm of one node on this machine, for tests: one-node.sh start FOLDER | one-node.sh stop FOLDER
# Keeps configuration, state and logs in FOLDER; needs root and Debian's slurmctld, slurmd and munge, which it installs if it can.
# Exits with 77 if there is no Slurm to be had. `stop` ends the processes that `start` began, and no others.
set -euo pipefail
action=${1:?start or stop}
folder=$(realpath -m "${2:?a folder for its state}")
export SLURM_CONF=$folder/slurm.conf

without() {
    echo "no Slurm: $1" >&2
    exit 77
}

install() {
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
    [ "$(id -u)" = 0 ] || without "its packages are missing, and only root can install them"
    command -v apt-get >/dev/null || without "its packages are missing"
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            slurmctld slurmd slurm-client munge >/dev/null || without "its packages cannot be installed"
}

configure() {
    local name cpus
    name=$(hostname -s)
    # A task of the tests sleeps most of its time, so there may be more of them than cores.
    cpus=8
    mkdir -p "$folder"/{controller,node,logs}
    cat >"$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=${SLURM_TEST_PORT:-26817}
SlurmdPort=$((${SLURM_TEST_PORT:-26817} + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$folder/controller
SlurmdSpoolDir=$folder/node
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/logs/slurmctld.log
SlurmdLogFile=$folder/logs/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=5
SlurmdParameters=config_overrides
NodeName=$name NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=test Nodes=$name Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
    install
    configure
    # A munge of its own: key, socket and pid are in the folder.
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    chmod 755 "$folder"
    munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/logs/munged.log" --seed-file="$folder/munge.seed" --force
    slurmctld
    slurmd
    for _ in $(seq 60); do
        [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ] && return
        sleep 0.5
    done
    tail -n 20 "$folder"/logs/*.log >&2
    echo "Slurm did not come up within 30 s" >&2
    exit 1
}

stop() {
    local daemon pid
    for daemon in slurmd slurmctld munged; do
        [ -s "$folder/$daemon.pid" ] || continue
        pid=$(cat "$folder/$daemon.pid")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.2
        done
    done
}

case $action in
    start) start ;;
    stop) stop ;;
    *) without "unknown action $action" ;;
esac
