#!/usr/bin/env bash
# Kills runs and merges of a tiny model with SIGKILL at random moments, and asks that each goes on, or begins again, with the same command
# as one that was never killed: the same adapter, the same metrics, and no leftovers.
#   tests/kill-and-resume.sh [ROUNDS]    60 rounds unless given; a few minutes. SEED=N repeats the moments as far as the machine does.
# Needs the command line built (dotnet build -c Release). Not in CI. Last result:
#   2026-11-27, two shared cores, SEED=3, 12 rounds: 17 kills of runs, 12 of merges, 0 failures
set -uo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-60}
RANDOM=${SEED:-1}
nvaccine=(dotnet "${NVACCINE_DLL:-src/NativeVaccine.Cli/bin/Release/net10.0/nvaccine.dll}")
model=tests/fixtures/micro-llama
samples=tests/fixtures/traces/tvaccine-micro/samples.jsonl
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "round $round: $*" >&2; sed 's/^/    /' "$work/log" >&2; failures=$((failures + 1)); }
now() { date +%s%N; }

resume=("${nvaccine[@]}" align --resume)
align=("${nvaccine[@]}" align --model $model --method tvaccine --data "$samples#align" --harmful-data "$samples#harmful" --layers 2
    --batch 2 --epochs 3 --checkpoint-every 1 --out)
merge=("${nvaccine[@]}" merge --model $model --adapter "$work/whole/adapter" --out)
# Runs a command and kills it after a random part of the time that it takes; more often near the end, where files are written.
killed() {  # milliseconds command...
    local duration=$1 late=0 pause
    shift
    [ $((RANDOM % 3)) = 0 ] && late=$((duration * 3 / 4))
    pause=$((late + RANDOM % (duration - late + 50)))
    "$@" >"$work/log" 2>&1 &
    sleep "$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))"
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
}
same() { cmp -s "$work/whole/adapter/adapter_model.safetensors" "$1/adapter/adapter_model.safetensors" &&
    cmp -s <(sed 's/"seconds":[^,]*,//' "$work/whole/metrics.jsonl") <(sed 's/"seconds":[^,]*,//' "$1/metrics.jsonl"); }

round=0
start=$(now); "${align[@]}" "$work/whole" >"$work/log" 2>&1 || { fail "the straight run failed"; exit 1; }
run_ms=$((($(now) - start) / 1000000))
start=$(now); "${merge[@]}" "$work/merged" >"$work/log" 2>&1 || { fail "the straight merge failed"; exit 1; }
merge_ms=$((($(now) - start) / 1000000))

kills=0
for round in $(seq "$rounds"); do
    run=$work/run$round
    killed $run_ms "${align[@]}" "$run"
    attempt=0
    until [ -d "$run/adapter" ]; do
        attempt=$((attempt + 1))
        if [ -f "$run/config.json" ]; then command=("${resume[@]}" "$run"); else command=("${align[@]}" "$run"); fi
        # Some are killed again while they go on.
        if [ $attempt -lt 3 ] && [ $((RANDOM % 3)) = 0 ]; then killed $run_ms "${command[@]}"; kills=$((kills + 1)); continue; fi
        "${command[@]}" >"$work/log" 2>&1 || { fail "${command[*]} failed"; break; }
    done
    kills=$((kills + 1))
    same "$run" || fail "another result"
    # A kill after the adapter costs the report; resuming a complete run makes it.
    [ -f "$run/report.html" ] || "${resume[@]}" "$run" >"$work/log" 2>&1
    [ -f "$run/report.html" ] || fail "no report"
    left=$(find "$run" -name '*.partial' | tr '\n' ' ')
    [ -z "$left" ] || fail "left $left"
    rm -rf "$run"

    merged=$work/again
    killed $merge_ms "${merge[@]}" "$merged"
    [ -d "$merged" ] || "${merge[@]}" "$merged" >"$work/log" 2>&1 || fail "the merge failed"
    cmp -s "$work/merged/model.safetensors" "$merged/model.safetensors" || fail "another merged model"
    [ -z "$(find "$work" -maxdepth 1 -name '*.partial')" ] || fail "the merge left $(find "$work" -maxdepth 1 -name '*.partial' | tr '\n' ' ')"
    rm -rf "$merged" "$work"/.*.partial
    [ $((round % 10)) != 0 ] || echo "$round rounds, $failures failures" >&2
done
echo "$rounds rounds, $kills kills of runs, $rounds of merges, $failures failures"
[ "$failures" = 0 ]
