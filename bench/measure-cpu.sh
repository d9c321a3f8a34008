#!/usr/bin/env bash
# Takes every CPU measurement that bench/results keeps and writes its page, one after another, about ten minutes in all on two cores:
#     bench/measure-cpu.sh                 on a quiet machine; pages go to bench/results
#     bench/measure-cpu.sh --quick [DIR]   a minute or two, to see that everything runs; pages go to DIR or a temporary folder
# Each page says machine, version and load. The text around older tables is not kept: compare with git before committing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-SkylakeX}  # where it does not know a processor it takes its AVX2 kernels
export OPENBLAS_THREAD_TIMEOUT=18                        # 2^18 cycles: by default its threads spin 26 ms into our turn
version=$(git describe --always --dirty)                 # before pages change
quick=false results=bench/results
if [ "${1:-}" = --quick ]; then
    quick=true results=${2:-$(mktemp -d)}
    mkdir -p "$results"
elif [ $# -gt 0 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi

say() { echo "$(date +%H:%M:%S)  $*" >&2; }

cmake --preset release >/dev/null && cmake --build --preset release --parallel 2 >/dev/null
dotnet build -c Release bench/NativeVaccine.Benchmarks -v quiet --nologo
native=$root/artifacts/cmake/release/lib
program=(dotnet run -c Release --no-build --project bench/NativeVaccine.Benchmarks --)

if [ -r /proc/loadavg ]; then
    read -r load _ </proc/loadavg
    say "load average $load: times are worth little while others use the machine"
fi

page() {  # verb, more arguments: a page of the C# program
    say "$1"
    if "${program[@]}" "$@" >"$results/$1.md.new" 2>"$results/$1.log"; then
        mv "$results/$1.md.new" "$results/$1.md"
        rm "$results/$1.log"
    else
        say "$1 FAILED, see $results/$1.log"
        failed=true
    fi
}

header() {  # title, command
    printf '# %s\n\n```\n%s\n```\n\n' "$1" "$2"
    printf '%s, %s processors; %s; %s UTC; load average %s.\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$(nproc)" \
        "$version" "$(date -u '+%Y-%m-%d %H:%M')" "$(cut -d' ' -f1 /proc/loadavg)"
}

gemm() {  # rounds, more arguments
    say "gemm_bench"
    if [[ $("$native/gemm_bench" 1 1 nothing) == "BLAS: libblas"* ]]; then
        say "gemm_bench: the machine's only BLAS is the untuned one; install OpenBLAS (Debian: libopenblas0-pthread)"
        failed=true
        return
    fi
    {
        header "CPU matrix products against the machine's BLAS" \
            "OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE OPENBLAS_THREAD_TIMEOUT=$OPENBLAS_THREAD_TIMEOUT gemm_bench 1 $1; ... gemm_bench 2 $1"
        for threads in 1 2; do
            printf '## %s thread(s)\n\n' "$threads"
            "$native/gemm_bench" "$threads" "$@" | sed 's/^/    /'
            echo
        done
    } >"$results/cpu-gemm.md"
}

micro() {  # filter, more arguments
    say "micro-benchmarks"
    local folder
    folder=$(mktemp -d)
    if ! "${program[@]}" --filter "$1" --artifacts "$folder" "${@:2}" >"$folder/log" 2>&1; then
        say "micro-benchmarks FAILED"
        tail -n 20 "$folder/log" >&2
        failed=true
        return
    fi
    {
        header "What lies in C#" "dotnet run -c Release --project bench/NativeVaccine.Benchmarks -- --filter '$1'"
        for table in "$folder"/results/*-github.md; do
            printf '## %s\n\n' "$(basename "$table" | sed 's/.*\.\([A-Za-z]*\)-report-github.md/\1/')"
            cat "$table"
            echo
        done
    } >"$results/micro.md"
    rm -rf "$folder"
}

failed=false
if $quick; then
    page memory --only "1M"
    page decode --only "1M"
    page growth --only "none of these"
    page training-step --only "1M, LoRA, equal lengths"
    gemm 1 "decode"
    micro '*Philox*'
else
    page memory
    page training-step
    page decode
    page growth
    gemm 21
    micro '*'
    command -v perf >/dev/null && page profile || say "profile: left out, there is no perf"
fi
say "pages are in $results"
! $failed
