#!/usr/bin/env bash
# Everything that needs a GPU, in one call, on a machine that has only the driver and what was built elsewhere:
#   cmake --preset cuda && cmake --build --preset cuda                                    (-DVACCINE_CUDA_ARCHITECTURES=90: faster, for one card)
#   dotnet publish src/NativeVaccine.Cli -c Release -r linux-x64 --self-contained -o artifacts/publish     (92 MB; 44 MB with
#       -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true)
#   bench/gpu-check.sh [--only STEP,STEP...]
# Steps: device, kernels, fixtures, trace, resume, micro, step, pytorch, memcheck, racecheck. Each is reported and the next one follows; the
# exit code is the number of those that failed. Writes a Markdown page to $OUT, or to bench/results/<gpu>.md, and prints it.
#   bench/gpu-check.sh --dry-run: tests the script itself on ptxmachine (preset ptxmachine), with tiny shapes and without a GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
. bench/gpu-check-parts.sh

command_line="bench/gpu-check.sh $*"
only="" dry=0
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry=1 ;;
        --only) only=$2 && shift ;;
        *) echo "unknown: $1; expected --dry-run or --only STEP,STEP" >&2 && exit 64 ;;
    esac
    shift
done

limit=${STEP_LIMIT:-540}  # seconds of one command
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 LC_ALL=C
if [ $dry = 1 ]; then
    preset=artifacts/cmake/ptxmachine
    export LD_LIBRARY_PATH=$PWD/$preset/ptxmachine:$PWD/$preset/lib
    shape=(--shape tests/fixtures/micro-llama --layers 2 --batch 2 --max-length 16 --steps 1 --warm-up 1)
    micro=(--rows 16 --only rope)
    gpu=ptxmachine
    models="tiny-gqa"
    tests=("$preset"/lib/cuda_rope_test)
else
    preset=artifacts/cmake/cuda
    export LD_LIBRARY_PATH=$PWD/$preset/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}  # where cuBLAS may be
    shape=(--shape llama-2-7b --layers 8 --batch 10 --max-length 200)
    micro=()
    gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1)
    models="tiny-llama tiny-gqa tiny-qwen2 tiny-mistral tiny-llama-linear-rope"
    tests=("$preset"/lib/cuda_*_test)
fi
lib=$preset/lib
export NATIVEVACCINE_LIBRARY=$PWD/$lib/libnativevaccine_cuda.so
[ -z "$gpu" ] && { echo "no NVIDIA GPU: nvidia-smi names none (bench/gpu-check.sh --dry-run needs none)" >&2; exit 65; }
nvaccine=(${NVACCINE:-artifacts/publish/nvaccine})
sanitizer=$(command -v compute-sanitizer || ls artifacts/compute-sanitizer/compute-sanitizer 2>/dev/null)

device() {
    limited "${nvaccine[@]}" doctor >"$work/doctor" 2>"$work/log" || { fail "$(last_line)"; return; }
    limited "${nvaccine[@]}" plan --model shape:llama-2-7b --method tvaccine --layers 8 --batch 10 --max-length 200 --precision bf16 --device cuda:0 >"$work/plan" 2>"$work/log" ||
        fail "$(last_line)"
    note="what doctor and plan say stands below"
}

kernels() {
    local passed=0
    for test in "${tests[@]}"; do
        limited "$test" >"$work/log" 2>&1 || { fail "$(basename "$test"): $(last_line)"; continue; }
        passed=$((passed + $(grep -oE '[0-9]+ passed' "$work/log" | awk '{s += $1} END {print s + 0}')))
    done
    note="$passed cases passed in ${#tests[@]} programs"
}

# The mean loss of each model: in fp32 within 1e-5 of transformers', in bf16 within twice the distance of PyTorch's own bf16, or 1e-3 where
# that happens to be less or is not known.
fixtures() {
    local worst_fp32=0 worst_bf16=0
    for model in $models; do
        local folder=tests/fixtures/$model losses exact bf16 bound found
        [ "$model" = tiny-llama-linear-rope ] && folder=$(with_weights "$folder" tests/fixtures/tiny-llama)
        batch_of "$folder/expected.json" >"$work/batch.jsonl"
        losses=$(mean_losses "$folder/expected.json")
        exact=$(head -1 <<<"$losses") bf16=$(tail -1 <<<"$losses")
        for precision in fp32 bf16; do
            limited "${nvaccine[@]}" evaluate loss --model "$folder" --data "$work/batch.jsonl" --device cuda:0 --gemm own --precision $precision \
                --json "$work/loss.json" >"$work/log" 2>&1 || { fail "$model $precision: $(last_line)"; continue; }
            found=$(mean_losses "$work/loss.json" | head -1)
            bound=$(awk -v e="$exact" -v b="$bf16" -v p=$precision 'BEGIN {d = 2 * (b > e ? b / e - 1 : 1 - b / e);
                if (p == "fp32") d = 1e-5; else if (d < 1e-3) d = 1e-3
                print d}')
            distance=$(relative "$exact" "$found")
            within "$distance" "$bound" || fail "$model $precision: loss $found, expected $exact within $bound"
            [ $precision = fp32 ] && worst_fp32=$(larger "$worst_fp32" "$distance") || worst_bf16=$(larger "$worst_bf16" "$distance")
        done
    done
    note="largest relative difference of a mean loss: fp32 $worst_fp32, bf16 $worst_bf16"
}

# A run of the T-Vaccine authors' trainer, followed step by step.
trace() {
    local folder=tests/fixtures/traces/tvaccine-micro worst
    limited "${nvaccine[@]}" align --model tests/fixtures/micro-llama --method tvaccine --data "$folder/samples.jsonl#align" \
        --harmful-data "$folder/samples.jsonl#harmful" --replay $folder/replay.jsonl --init-adapter $folder/initial --out "$work/run" \
        --device cuda:0 --gemm own --precision fp32 $(trace_options $folder/config.json) >"$work/log" 2>&1 || { fail "$(last_line)"; return; }
    worst=$(largest_difference $folder/steps.jsonl "$work/run/metrics.jsonl" loss pass1_loss gradient_norm site_gradient_norm)
    within "$worst" 1e-4 || fail "steps differ by $worst; expected at most 1e-4"
    note="$(wc -l <"$work/run/metrics.jsonl") steps, largest relative difference of a loss or norm $worst"
}

# A run that is killed on its way and taken up again must end with the very bits of one that was not.
resume() {
    local folder=tests/fixtures/traces/tvaccine-micro epochs=60 lines=40
    [ $dry = 1 ] && epochs=2 lines=2
    local options=(--model tests/fixtures/micro-llama --method tvaccine --data "$folder/samples.jsonl#align" --layers 2 --batch 2
        --harmful-data "$folder/samples.jsonl#harmful" --epochs $epochs --checkpoint-every 3 --device cuda:0 --precision bf16)
    limited "${nvaccine[@]}" align "${options[@]}" --out "$work/whole" >"$work/log" 2>&1 || { fail "$(last_line)"; return; }
    "${nvaccine[@]}" align "${options[@]}" --out "$work/broken" >"$work/log" 2>&1 &
    local run=$! waited=0
    until [ "$(wc -l 2>/dev/null <"$work/broken/metrics.jsonl")" -ge $lines ] 2>/dev/null || [ $((waited += 1)) -gt 2000 ]; do sleep 0.02; done
    kill -KILL $run 2>/dev/null || fail "the run was over before it could be killed"
    wait $run 2>/dev/null
    note="killed after $(wc -l <"$work/broken/metrics.jsonl") of $(wc -l <"$work/whole/metrics.jsonl") steps, resumed"
    limited "${nvaccine[@]}" align --resume "$work/broken" >"$work/log" 2>&1 || { fail "$(last_line)"; return; }
    cmp "$work/whole/adapter/adapter_model.safetensors" "$work/broken/adapter/adapter_model.safetensors" >"$work/log" 2>&1 || fail "$(last_line)"
}

# All programs at once: each waits for the tool more than for the GPU.
sanitize() {  # tool
    local test running=() i
    [ $dry = 1 ] && { skip "a dry run has no GPU"; return; }
    [ -z "$sanitizer" ] && { skip "compute-sanitizer is not on this machine"; return; }
    for test in "${tests[@]}"; do
        limited "$sanitizer" --tool "$1" --error-exitcode 9 "$test" >"$work/$(basename "$test").$1" 2>&1 &
        running+=($!)
    done
    for i in "${!tests[@]}"; do
        test=$(basename "${tests[$i]}")
        wait "${running[$i]}" || grep -q 'before first instrumented API call' "$work/$test.$1" || fail "$test: exit code $?, $(grep '=====' "$work/$test.$1" | grep -vm1 'COMPUTE-SANITIZER' | cut -c1-200)"
        [ -n "${OUT:-}" ] && tail -c 20000 "$work/$test.$1" >>"$OUT/$1.log"
    done
    note="${#tests[@]} programs"
}
memcheck() { sanitize memcheck; }
racecheck() { sanitize racecheck; }

micro() {
    [ $dry = 1 ] && export PTXMACHINE_COUNTERS=/dev/null
    limited "$lib/cuda_bench" "${micro[@]}" >"$work/micro.md" 2>"$work/log" || fail "$(grep -m1 FAILED "$work/micro.md" || last_line)"
    unset PTXMACHINE_COUNTERS
    note="$(grep -c '^|' "$work/micro.md") rows, below"
}

step() {
    local times="" preset_name gemm
    for run in paper,own reference,own reference,cublas; do
        preset_name=${run%,*} gemm=${run#*,}
        [ "$dry$gemm" = 1cublas ] && continue
        start_memory_watch
        limited "${nvaccine[@]}" bench step "${shape[@]}" --method tvaccine --preset "$preset_name" --gemm "$gemm" --precision bf16 \
            --device cuda:0 --json "$work/$run.json" >"$work/log" 2>&1 || {
            stop_memory_watch
            grep -q 'cublasLt was not found' "$work/log" && times+="no cuBLAS" || fail "$run: $(last_line)"
            continue
        }
        step_row "ours, preset $preset_name, products by $gemm" "$work/$run.json" used_bytes "$(stop_memory_watch)" >>"$work/steps.md"
        times+="$run $(field median_seconds "$work/$run.json") s  "
    done
    note=${times:-}
}

pytorch() {
    local arguments=()
    [ $dry = 1 ] && arguments=(--tiny --device cpu --samples 2 --length 16 --steps 1)
    python3 -c 'import torch, transformers, peft' >/dev/null 2>&1 || { skip "torch, transformers and peft are not all here"; return; }
    start_memory_watch
    limited python3 bench/reference/tvaccine_step.py "${arguments[@]}" >"$work/torch.json" 2>"$work/log" || { stop_memory_watch; fail "$(last_line)"; return; }
    step_row "PyTorch $(field torch "$work/torch.json"), transformers, peft" "$work/torch.json" peak_bytes "$(stop_memory_watch)" >>"$work/steps.md"
    note="$(field median_seconds "$work/torch.json") s"
}

page=${OUT:+$OUT/gpu-check.md}
page=${page:-bench/results/$(tr -cs 'A-Za-z0-9\n' '-' <<<"$gpu" | tr 'A-Z' 'a-z').md}
[ $dry = 1 ] && page=${OUT:-$work}/gpu-check.md
failures=0
for name in device kernels fixtures trace resume micro step pytorch memcheck racecheck; do
    [ -n "$only" ] && [[ ,$only, != *,$name,* ]] && continue
    begin_step $name
    $name
    end_step $name
    write_page >"$page"  # after each, so that what is known stays if the machine goes
done
cat "$page"
echo "$failures steps failed" >&2
exit $failures
