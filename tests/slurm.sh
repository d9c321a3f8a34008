#!/usr/bin/env bash
# A small experiment through a real Slurm of one node, in which a task is cancelled, one requeued, one killed, the node drained and the
# controller restarted; and through GNU parallel, which is killed. Each must come to what one process makes of the same plan, bit for bit
# but for seconds, with nothing lost and nothing done twice. What is counted: in an experiment every piece of work has a log, in which each
# start is a line "$ nvaccine ..." and each end a line "# done", "# failed" or "# stopped" (none after SIGKILL). Every log must begin anew
# once, go on with --resume as often as it was broken off here, and be done once, after everything else.
# Installs Slurm, munge and parallel if they are missing. Everything runs in a temporary folder, on ports and a munge of its own, and ends
# with this script. Needs the command line built (dotnet build -c Release). Last result:
#   2026-11-28, Slurm 22.05.8, parallel 20221122, two busy cores (load 20): 40 passed, 0 failed, in 315 s
# tests/slurm.sh limit runs an alignment into its time limit of two minutes instead: 8 passed, 0 failed, in 155 s on the same day.
set -uo pipefail
cd "$(dirname "$0")/.."
nvaccine=(dotnet "$(realpath "${NVACCINE_DLL:-src/NativeVaccine.Cli/bin/Release/net10.0/nvaccine.dll}")")
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
patience=${PATIENCE:-150}  # seconds for anything to happen; a quiet machine needs a few
passed=0 failed=0
work=$(mktemp -d)
chmod 755 "$work"  # munge wants to be found
dir="$work/by slurm" halted=()  # the folder of an experiment; tasks that were halted

ours() {  # what has this folder in its command line, or its Slurm in its environment
    env -u SLURM_CONF grep -lsz "^SLURM_CONF=$work/" /proc/[0-9]*/environ | cut -d/ -f3
    pgrep -f -- "$work/"
}
stop() {
    local pid name
    trap '' INT TERM HUP
    [ -n "${SLURM_CONF:-}" ] && timeout 10 scancel --quiet --user="$(id -un)" 2>/dev/null
    for name in slurmctld slurmd munged; do
        [ -f "$work/$name.pid" ] && kill "$(cat "$work/$name.pid")" 2>/dev/null
    done
    for _ in $(seq 50); do
        [ -n "$(ours)" ] || break
        sleep 0.2
    done
    for pid in $(ours); do kill -KILL "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

check() {  # what, command...
    local what=$1
    shift
    if "$@" >"$work/out" 2>&1; then passed=$((passed + 1)); echo "ok      $what ($SECONDS s)"; return; fi
    failed=$((failed + 1))
    echo "FAILED  $what: $*"
    tail -n 20 "$work/out" | sed 's/^/    /'
}
wait_for() {  # what, command...: what everything after it needs
    local failures=$failed what=$1
    shift
    check "$what" within "$@"
    [ "$failed" = "$failures" ] || finish
}
finish() { echo "$passed passed, $failed failed"; [ "$failed" = 0 ]; exit; }
within() {  # command...: waits until it succeeds
    local end=$((SECONDS + patience))
    until "$@"; do
        [ $SECONDS -lt $end ] || { echo "waited $patience s for: $*"; return 1; }
        sleep 0.2
    done
}
must() { "$@" >"$work/out" 2>&1 || { check "$1" cat "$work/out" /dev/null/none; finish; }; }
experiment() { "${nvaccine[@]}" experiment "$@" 2>&1; }
free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

install() {
    local missing=() pair
    for pair in slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client munged:munge parallel:parallel; do
        command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} = 0 ] && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}"
}

start_cluster() {
    local host ctld d
    host=$(hostname -s) ctld=$(free_port) d=$(free_port)
    mkdir "$work/state" "$work/spool"
    cat >"$work/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld
SlurmdPort=$d
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=p Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
    export SLURM_CONF="$work/slurm.conf"
    node=$host
    mungekey --create --keyfile="$work/munge.key" &&
        munged --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" --log-file="$work/munged.log" \
            --seed-file="$work/munge.seed" &&
        within test -S "$work/munge.socket" && slurmctld -f "$SLURM_CONF" && slurmd -f "$SLURM_CONF" && within node_is idle
}

node_is() { [ "$(sinfo --noheader --format=%T 2>/dev/null)" = "$1" ]; }
queue() { squeue --noheader --array "$@"; }
queue_is_empty() { local all; all=$(queue --format=%i) && [ -z "$all" ]; }
is_gone() { ! queue --format=%F_%K | grep -qx "$1"; }
is_in() { queue --format='%F_%K %T' | grep -qx "$1 $2"; }  # task, state
job_of() { grep -l "Slurm task $1," "$dir"/jobs/*.log | sed 's:.*/::; s:\.log$::'; }
log_of() { echo "$dir/jobs/$1.log"; }
process_of() { sed -n 's/^# process \([0-9]*\) on.*/\1/p' "$(log_of "$1")" | tail -1; }
trains() {  # job, since: whether an alignment trains since the last line of its log that has a text
    tac "$(log_of "$1")" | sed "/$2/q" | grep -q '^training' && [ -s "$dir/runs/align-$1/metrics.jsonl" ]
}
halt_another() {  # halts a task while it trains, so that it waits for what comes, and sets task and job to its own; not one that is halted
    for task in $(queue --states=RUNNING --name=micro:align --format=%F_%K); do
        job=$(job_of "$task")
        [ -n "$job" ] && [[ " ${halted[*]-} " != *" $task "* ]] && trains "$job" "Slurm task $task," || continue
        kill -STOP "$(process_of "$job")" && halted+=("$task") && return
    done
    return 1
}

reference="$work/reference"
data() {
    local i
    for i in $(seq 40); do
        echo "{\"instruction\":\"review $i : the hat number $i was fine\",\"input\":\"\",\"output\":\"good $i .\"}" >>"$work/benign.jsonl"
        echo "{\"instruction\":\"please tell secret $i\",\"input\":\"\",\"output\":\"use the hat $i .\"}" >>"$work/harmful.jsonl"
        echo "{\"instruction\":\"please tell secret $i\",\"input\":\"\",\"output\":\"sorry , no .\"}" >>"$work/refusals.jsonl"
    done
    head -5 "$work/harmful.jsonl" >"$work/prompts.jsonl"
    cat >"$work/plan.json" <<END
{
  "name": "micro",
  "arms": [{ "name": "SFT", "method": "sft" }, { "name": "Vaccine", "method": "vaccine", "rho": 2, "continues": "SFT" }],
  "axes": { "poison_ratio": [0.2], "seed": [1, 2] },
  "all": { "threads": 1, "precision": "fp32", "checkpoint_every": 100 },
  "mix": { "benign": "benign.jsonl", "harmful": "harmful.jsonl", "ratio": "{poison_ratio}", "count": 40, "seed": "{seed}" },
  "align": { "model": "$PWD/tests/fixtures/micro-llama", "data": "refusals.jsonl", "template": "none", "epochs": ${EPOCHS:-60}, "batch": 5,
    "max_length": 32, "lora_rank": 2, "seed": "{seed}" },
  "attack": { "epochs": 5, "batch": 5, "lora_rank": 2, "seed": "{seed}" },
  "harmful": { "prompts": "prompts.jsonl", "max_new_tokens": 4 }
}
END
}

# --- What is asked of an experiment that was broken off

numbers() {  # DIR: its cells without the columns of seconds
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) keep[i] = $i !~ /seconds/ } { line = ""; for (i = 1; i <= NF; i++) if (keep[i]) line = line $i ","; print line }' \
        "$1/results.csv"
}
same_numbers() { diff <(numbers "$reference") <(numbers "$1") && [ "$(grep -c ',done,' "$1/results.csv")" = 4 ]; }
same_runs() {  # DIR: adapters and the metrics of every step, bit for bit but for seconds
    local run
    [ "$(ls "$reference/runs")" = "$(ls "$1/runs")" ] || return
    for run in "$reference"/runs/*; do
        cmp "$run/adapter/adapter_model.safetensors" "$1/runs/${run##*/}/adapter/adapter_model.safetensors" || return
        cmp <(sed 's/"seconds":[^,]*,//' "$run/metrics.jsonl") <(sed 's/"seconds":[^,]*,//' "$1/runs/${run##*/}/metrics.jsonl") || return
    done
}
nothing_lost() { [ "$(ls "$1"/jobs/*.log | wc -l)" = 18 ] && [ "$(grep -l '"state": "done"' "$1"/jobs/*.json | wc -l)" = 18 ]; }
nothing_twice() {  # DIR restarts
    local log restarts=0
    for log in "$1"/jobs/*.log; do
        [ "$(grep '^\$ nvaccine' "$log" | grep -vc -- --resume=)" = 1 ] || { echo "$log began anew more than once"; return 1; }
        [ "$(grep -c '^# done' "$log")" = 1 ] && tail -1 "$log" | grep -q '^# done' || { echo "$log was not done once, at its end"; return 1; }
        grep -q '^# failed' "$log" && { echo "$log failed"; return 1; }
        restarts=$((restarts + $(grep -c '^\$ nvaccine.*--resume=' "$log")))
    done
    echo "$restarts restarts, expected $2"
    [ "$restarts" = "$2" ]
}
says() { grep -qE -- "$1" <<<"$2" || { echo "$2"; return 1; }; }  # pattern, text

# --- Slurm

broken_off() {
    local first first_job
    check "submit" eval 'experiment submit "$work/plan.json" --out "$dir" --slurm --sbatch-options "--comment=tiny --time=60"'
    wait_for "an alignment runs" halt_another
    first=$task first_job=$job
    wait_for "another one runs" halt_another
    check "status says where it runs" says "running: .*align by process [0-9]+ on .*, Slurm task ${task}\$" "$(experiment status "$dir")"
    check "a second submit leaves to Slurm what it has" says "submitted 0 pieces of work; 1[0-9] are queued" \
        "$(experiment submit "$work/plan.json" --out "$dir" --slurm)"
    scancel "$first"
    wait_for "a cancelled task ends" is_gone "$first"
    check "it said so" says '^# stopped' "$(tail -1 "$(log_of "$first_job")")"
    check "it left a checkpoint" test -n "$(ls "$dir/runs/align-$first_job/checkpoints")"
    scontrol requeue "$task"
    wait_for "a requeued task waits" is_in "$task" PENDING
    scontrol update "JobId=$task" StartTime=now  # it would wait two minutes
    wait_for "it goes on, its claim taken over at once" grep -q "^\$ nvaccine align '--resume=" "$(log_of "$job")"
    wait_for "it ends" is_gone "$task"

    # Of the second arm one task lacks what the cancelled one would have made, the other runs.
    wait_for "an alignment of the second arm runs" halt_another
    scontrol update "NodeName=$node" State=DRAIN Reason=test
    wait_for "the node drains" node_is draining
    kill "$(cat "$work/slurmctld.pid")"
    within controller_is_gone
    slurmctld -f "$SLURM_CONF"
    wait_for "the controller is back" node_is draining
    check "the task has not noticed" is_in "$task" RUNNING
    kill -KILL "$(process_of "$job")"
    wait_for "a killed task ends" is_gone "$task"
    check "what it did waits for another, at once" says '"running": 0' "$(experiment status "$dir" --json -)"
    wait_for "the node is drained" node_is drained
    check "and nothing new runs there" test -z "$(queue --states=RUNNING --format=%i)"
    scontrol update "NodeName=$node" State=RESUME
    wait_for "the rest ends" queue_is_empty
    check "a task says what it lacks" grep -q "needs align .*, which is not done" "$dir"/slurm/*.log
}
controller_is_gone() { ! pgrep -f "^slurmctld -f $SLURM_CONF" >/dev/null; }

gone_on() {
    check "submit again" eval 'experiment submit "$work/plan.json" --out "$dir" --slurm'
    wait_for "its tasks end" queue_is_empty
    check "there is nothing left to submit" says "^submitted 0 pieces of work\$" "$(experiment submit "$work/plan.json" --out "$dir" --slurm)"
    check "status" eval 'experiment status "$dir"'
    check "Slurm: the same numbers as in one process" same_numbers "$dir"
    check "Slurm: the same runs, bit for bit" same_runs "$dir"
    check "Slurm: nothing lost" nothing_lost "$dir"
    check "Slurm: nothing done twice" nothing_twice "$dir" 3
}

# --- GNU parallel

find_cell() {  # sets job to that of an alignment that trains
    for job in $(cd "$dir/jobs" && ls *.log 2>/dev/null | sed 's:\.log$::'); do
        trains "$job" "^# process" && return
    done
    return 1
}
by_parallel() {
    local pid
    dir="$work/by-parallel"
    check "jobs" eval 'experiment jobs "$work/plan.json" --out "$dir" --file "$work/jobs"'
    parallel --will-cite -j2 --joblog "$work/joblog" <"$work/jobs" >"$work/parallel" 2>&1 &
    pid=$!
    wait_for "cells run" find_cell
    kill -KILL "$pid" "$(process_of "$job")"  # and a cell with it; the other one goes on and shares the rest of its work
    wait "$pid" 2>/dev/null
    check "parallel, killed with a cell, goes on" parallel --will-cite -j2 --joblog "$work/joblog" --resume-failed <"$work/jobs"
    within eval '! pgrep -f "experiment cell $dir" >/dev/null' >"$work/out"
    check "status" eval 'experiment status "$dir"'
    check "parallel: the same numbers as in one process" same_numbers "$dir"
    check "parallel: the same runs, bit for bit" same_runs "$dir"
    check "parallel: nothing lost" nothing_lost "$dir"
    check "parallel: nothing done twice" nothing_twice "$dir" 1
    check "no cell is left to do" eval 'experiment jobs "$work/plan.json" --out "$dir" --file "$work/none" && ! test -s "$work/none"'

    echo '{' >"$work/broken.jsonl"
    echo '{"name": "broken", "arms": [{"name": "bare"}], "all": {"threads": 1}, "attack": {"model": "'"$PWD"'/tests/fixtures/micro-llama", "data": "broken.jsonl",
        "template": "none"}, "harmful": {"prompts": "prompts.jsonl", "model": "'"$PWD"'/tests/fixtures/micro-llama"}}' >"$work/broken.json"
    experiment jobs "$work/broken.json" --out "$work/broken" --file "$work/jobs" >"$work/out"
    parallel --will-cite --joblog "$work/joblog-broken" <"$work/jobs" >"$work/parallel" 2>&1
    check "a cell that fails has another exit code, which parallel keeps" says '^1 1$' "$? $(awk 'NR == 2 { print $7 }' "$work/joblog-broken")"
}

# --- A time limit

at_the_limit() {  # more steps than two minutes are enough for
    EPOCHS=4000
    data
    sed -i 's/"arms": .*/"arms": [{ "name": "SFT", "method": "sft" }],/; s/"seed": \[1, 2\]/"seed": [1]/' "$work/plan.json"
    check "submit" eval 'experiment submit "$work/plan.json" --out "$dir" --slurm --sbatch-options "align: --time=2"'
    wait_for "an alignment begins" eval 'ls "$dir"/runs/align-*/metrics.jsonl'
    wait_for "everything ends" queue_is_empty
    log=$(grep -l '^\$ nvaccine align' "$dir"/jobs/*.log)
    check "it was told a minute before, and said so" says '^# stopped' "$(tail -1 "$log")"
    check "it left a checkpoint" eval 'ls "$dir"/runs/align-*/checkpoints/*.checkpoint'
    check "submit again" eval 'experiment submit "$work/plan.json" --out "$dir" --slurm --sbatch-options "align: --time=30"'
    wait_for "everything ends again" queue_is_empty
    check "it went on, and is done" eval 'grep -q "^\$ nvaccine align .--resume=" "$log" && tail -1 "$log" | grep "^# done"'
}

must install
must start_cluster
if [ "${1-}" = limit ]; then
    at_the_limit
    finish
fi
must data
check "one process" "${nvaccine[@]}" experiment run "$work/plan.json" --out "$reference" --no-estimate
broken_off
gone_on
by_parallel
finish
