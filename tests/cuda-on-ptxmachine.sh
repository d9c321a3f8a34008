#!/usr/bin/env bash
# The host's engine tests on the CUDA engine, on ptxmachine: every kernel access, barrier and race is checked on the way.
#   tests/cuda-on-ptxmachine.sh          what CI runs: device errors, logits and losses of all tiny models, gradients, recomputation and
#                                        decoding of some, the micro trace in fp32, resuming in bf16, and a short run of two methods in each
#                                        precision, which together use every verb
#   tests/cuda-on-ptxmachine.sh short      a short run of every method, in both precisions
#   tests/cuda-on-ptxmachine.sh models     logits, losses, recomputation and decoding of all tiny models in both precisions, their gradients
#                                        in fp32
#   tests/cuda-on-ptxmachine.sh methods  a whole micro run of every method beside the CPU engine's, in both precisions, and writes how far off
#                                        each number was (without race checks)
#   tests/cuda-on-ptxmachine.sh long     the longer traces and every resume and session test instead (hours; without race checks; traces in fp32)
#   tests/cuda-on-ptxmachine.sh FILTER   a filter of dotnet test, in both precisions
# Needs the ptxmachine preset built (cmake --preset ptxmachine && cmake --build --preset ptxmachine) and the tests (dotnet build -c Release).
# On a machine with a GPU: VACCINE_RUNTIME="" runs the same on it. VACCINE_PRECISIONS="bf16" runs one of the two.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$PWD/artifacts/cmake/ptxmachine
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
export NATIVEVACCINE_TEST_DEVICE=cuda:0 NATIVEVACCINE_LIBRARY=$build/lib/libnativevaccine_cuda.so
[ -f "$NATIVEVACCINE_LIBRARY" ] || {
    echo "cuda-on-ptxmachine: $NATIVEVACCINE_LIBRARY is not there; build it: cmake --preset ptxmachine && cmake --build --preset ptxmachine" >&2
    exit 2
}
export LD_LIBRARY_PATH=${VACCINE_RUNTIME-$build/ptxmachine}

any() {  # names: a filter that matches any of them
    local filter="" name
    for name in "$@"; do filter="$filter|FullyQualifiedName~$name"; done
    echo "${filter#|}"
}
logits=.Engine.FixtureModelTests.LogitsAndLosses
recomputation=.Engine.FixtureModelTests.Recomputation
greedy=.DecoderTests.Greedy
gradients=$(any .Engine.FixtureModelTests.Sites .Engine.FixtureModelTests.Parameter)
of() { echo "(FullyQualifiedName~$1&DisplayName~$2)"; }  # a test, of one model
older="DisplayName!~tiny-gemma&DisplayName!~tiny-qwen3&DisplayName!~tiny-phi3"
fp32="$(any $logits DeviceErrorTests EngineLayoutTests AdapterSessionTests)|(($gradients)&$older)|$(of $recomputation tiny-mistral)|$(of $greedy tiny-phi3)"
bf16="$(any $logits)|$(of $recomputation tiny-phi3)|$(of $greedy tiny-qwen2)"
short=.MethodRunTests.AShortRun
long=$(any .Training.TraceTests .ResumeTests .Engine.SessionTests .Engine.DecoderTests .TorchComparison. .MethodTests)
verbosity=minimal
jobs=()  # precision:filter
case ${1-} in
    "")
        jobs=("fp32:$fp32" "fp32:$(of .Training.TraceTests.IsFollowed micro)|$(of $short repnoise)|$(of $short booster)")
        jobs+=("bf16:$bf16|$(any .ResumeTests.AShortRun)|$(of $short tvaccine)|$(of $short ewc)")
        ;;
    short) jobs=("fp32:$(any $short)" "bf16:$(any $short)") ;;
    models) jobs=("fp32:$(any $logits $recomputation $greedy)|$gradients" "bf16:$(any $logits $recomputation $greedy)") ;;
    methods)
        jobs=("fp32:$(any .MethodRunTests.AWholeRun)" "bf16:$(any .MethodRunTests.AWholeRun)")
        verbosity=detailed
        export PTXMACHINE_RACES=0
        ;;
    long) jobs=("fp32:$long" "bf16:$(any .ResumeTests)") && export PTXMACHINE_RACES=0 ;;
    *) jobs=("fp32:$1" "bf16:$1") ;;
esac

# All at once: a small model's launches have too few blocks for two cores.
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for n in "${!jobs[@]}"; do
    precision=${jobs[n]%%:*}
    [[ " ${VACCINE_PRECISIONS-fp32 bf16} " == *" $precision "* ]] || continue
    NATIVEVACCINE_TEST_PRECISION=$precision dotnet test tests/NativeVaccine.Tests -c Release --no-build --filter "${jobs[n]#*:}" \
        --logger "console;verbosity=${VACCINE_VERBOSITY-$verbosity}" >"$results/$n-$precision" 2>&1 &
done
failed=0
for job in $(jobs -p); do wait "$job" || failed=1; done
for result in "$results"/*; do
    echo "cuda:0 ${result##*-}"
    cat "$result"
done
exit $failed
