# What gpu-check.sh is made of. There is no jq and perhaps no Python where it runs: JSON is read with sed and awk, which is enough for files
# whose form is known.

limited() { timeout "$limit" "$@"; }
last_line() { grep -v '^$' "$work/log" | tail -1 | cut -c1-300; }

begin_step() { status=passed note="" faults=""; started=$SECONDS; }
fail() { status=FAILED faults+="${faults:+; }$1"; echo "FAILED: $1" >&2; }
skip() { status=skipped note=$1; }
end_step() {
    [ "$status" = FAILED ] && failures=$((failures + 1))
    echo "| $1 | $status | $((SECONDS - started)) | ${faults:-$note} |" >>"$work/table.md"
    echo "$1: $status (${faults:-$note})" >&2
}

# The samples of an expected.json as records of tokens, a line each.
batch_of() {
    tr -d ' \n\t\r' <"$1" | sed -E 's/.*"batch":\{"input_ids":\[\[([^"]*)\]\],"labels":\[\[([^"]*)\]\].*/\1\n\2\n/' | awk '
        NR == 1 {n = split($0, ids, /\],\[/)}
        NR == 2 {split($0, labels, /\],\[/); for (i = 1; i <= n; i++) printf "{\"input_ids\": [%s], \"labels\": [%s]}\n", ids[i], labels[i]}'
}

# A copy of the first folder with the second one's weights.
with_weights() {
    local folder=$work/$(basename "$1")
    cp -r "$1" "$folder" && cp -n "$2"/model*.safetensors "$folder/"
    echo "$folder"
}

mean_losses() { tr -d ' \n\t\r' <"$1" | grep -oE '"mean_loss":[-+0-9.eE]+' | cut -d: -f2; }
field() { tr -d '\n' <"$2" | grep -oE "\"$1\": *(\"[^\"]*\"|[-+0-9.eE]+|null)" | head -1 | sed -E 's/^[^:]*: *//; s/"//g'; }

relative() { awk -v e="$1" -v f="$2" 'BEGIN {d = f / e - 1; printf "%.2e", d < 0 ? -d : d}'; }
larger() { awk -v a="$1" -v b="$2" 'BEGIN {print (a + 0 > b + 0 ? a : b)}'; }
# NaN and nothing are not within.
within() { awk -v d="$1" -v b="$2" 'BEGIN {exit !(d ~ /^[0-9]/ && d + 0 <= b + 0)}'; }

# The options of a trace's config.json.
trace_options() {
    local pair
    for pair in learning-rate=lr weight-decay=wd epochs=epochs batch=bs accumulate=accum rho=rho layers=S resample-every=J probe-every=K \
        lora-alpha=alpha lora-rank=r max-length=max_length warmup-ratio=warmup clip=clip dropout=dropout; do
        echo "--${pair%=*} $(field "${pair#*=}" "$1")"
    done
}

# Of the named fields, between two files of JSON lines; "lengths" if they have not the same number of lines.
largest_difference() {
    local expected=$1 found=$2
    shift 2
    awk -v names="$*" '
        function value(line, name) {
            if (!match(line, "\"" name "\": *[-+0-9.eE]+")) return "none"
            line = substr(line, RSTART, RLENGTH)
            sub(/^[^:]*: */, "", line)
            return line
        }
        NR == FNR {lines[FNR] = $0; count = FNR; next}
        {
            seen = FNR
            for (n = split(names, name, " "); n > 0; n--) {
                e = value(lines[FNR], name[n]); f = value($0, name[n])
                if (e == "none" && f == "none") continue
                if (e == "none" || f == "none") missing = 1
                d = e == 0 ? f : f / e - 1
                if (d < 0) d = -d
                if (d > worst) worst = d
            }
        }
        END {if (seen != count) print "lengths"; else if (missing) print "missing"; else printf "%.2e", worst}' "$expected" "$found"
}

# The most memory that the card had in use, by nvidia-smi; nothing without it.
start_memory_watch() {
    watcher=""
    command -v nvidia-smi >/dev/null || return
    nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -i 0 -lms 200 >"$work/memory" 2>/dev/null &
    watcher=$!
}
stop_memory_watch() {
    [ -z "$watcher" ] && return
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    sort -n "$work/memory" | tail -1 | awk '{printf "%.2f", $1 / 1024}'
}

step_row() {  # program, JSON file, field of its own count of bytes, GiB seen by nvidia-smi
    local own planned
    own=$(field "$3" "$2") planned=$(field planned_bytes "$2")
    printf '| %s | %s | %.4f | %.0f | %s | %s | %s |\n' "$1" "$(field tokens "$2")" "$(field median_seconds "$2")" \
        "$(field tokens_per_second "$2")" "$(gibibytes "$planned")" "$(gibibytes "$own")" "${4:--}"
}
gibibytes() { [[ $1 =~ ^[0-9]+$ ]] && awk -v b="$1" 'BEGIN {printf "%.2f", b / 1073741824}' || echo -; }

write_page() {
    echo "# GPU check: $gpu"
    echo
    echo "| | |"
    echo "| --- | --- |"
    echo "| date | $(date -u '+%Y-%m-%d %H:%M') UTC |"
    if [ "$dry" = 1 ]; then
        echo "| **dry run** | on ptxmachine, tiny shapes: it shows that the script works; its times mean nothing |"
    else
        echo "| driver, memory, limits | $(nvidia-smi --query-gpu=driver_version,memory.total,power.limit,clocks.max.sm --format=csv,noheader | head -1) |"
    fi
    echo "| processor | $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | sed 's/^ *//'), $(nproc) cores |"
    echo "| engine | $(limited "${nvaccine[@]}" --version 2>/dev/null | head -1) |"
    echo "| command | \`$command_line\` |"
    echo
    echo "| step | result | seconds | |"
    echo "| --- | --- | ---: | --- |"
    cat "$work/table.md" 2>/dev/null
    if [ -s "$work/steps.md" ]; then
        echo
        echo "## A T-Vaccine step: ${shape[*]}"
        echo
        echo "Random weights and tokens, bf16, the same chosen layers, medians. Ours with preset \`reference\` does what PyTorch does here."
        echo
        echo "| program | tokens | s/step | tokens/s | planned GiB | own count GiB | nvidia-smi GiB |"
        echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
        cat "$work/steps.md"
    fi
    if [ -s "$work/doctor" ]; then
        echo
        echo "## What doctor and plan say"
        echo
        echo '```'
        cat "$work/doctor" "$work/plan"
        echo '```'
    fi
    if [ -s "$work/micro.md" ]; then
        echo
        echo "## Micro-benchmarks"
        echo
        cat "$work/micro.md"
    fi
}
