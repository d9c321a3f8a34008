namespace NativeVaccine.Cli.Options;

/// <summary>What other programs of the field call options that we have under other names.</summary>
internal static class FamiliarNames
{
    /// <summary>Our names, the likeliest first, each with those of others.</summary>
    private static readonly (string Ours, string Others)[] Names =
    [
        ("--learning-rate", "lr peak-lr max-lr base-lr"),
        ("--batch", "bs batch-size per-device-train-batch-size per-device-batch-size train-batch-size micro-batch-size micro-batch mini-batch-size b"),
        ("--accumulate", "gradient-accumulation-steps grad-accumulation-steps grad-accum accumulate-grad-batches accumulation-steps"),
        ("--epochs", "num-train-epochs num-epochs n-epochs epoch max-epochs"),
        ("--max-new-tokens", "max-tokens max-new-token max-output-tokens n-predict num-predict max-completion-tokens max-gen-len max-length"),
        ("--max-length", "max-seq-length max-seq-len max-sequence-length seq-length seq-len cutoff-len model-max-length block-size max-len max-tokens max-token-length maxlen context-length ctx-len sequence-len sequence-length"),
        ("--out", "output output-dir output-path out-dir save-dir save-path o"),
        ("--json", "output output-path output-file out o"),
        ("--model", "model-name-or-path base-model base-model-name-or-path model-path model-name model-dir pretrained-model-name-or-path m"),
        ("--adapter", "peft lora peft-model adapter-path adapter-name-or-path lora-weights lora-path lora-adapter"),
        ("--data", "dataset train-file train-data data-path dataset-path dataset-name training-data data-file datasets input-file train d"),
        ("--harmful-data", "probe-data harmful-dataset harmful harmful-file"),
        ("--paired-data", "pairs pair-data paired pairs-file preference-data"),
        ("--prompts", "prompt-file prompts-file questions input-file instructions data"),
        ("--prompt", "p input query"),
        ("--template", "prompt-template chat-template prompt-style conv-template prompt-format instruction-template"),
        ("--lora-rank", "lora-r rank lora-dim lora-rank-dim r"),
        ("--lora-alpha", "alpha"),
        ("--lora-targets", "target-modules lora-target-modules lora-target lora-modules"),
        ("--dropout", "lora-dropout"),
        ("--weight-decay", "wd decay"),
        ("--schedule", "lr-scheduler-type lr-scheduler scheduler lr-schedule scheduler-type lr-decay-style"),
        ("--warmup-ratio", "warmup warmup-fraction"),
        ("--beta1", "adam-beta1"),
        ("--beta2", "adam-beta2"),
        ("--adam-epsilon", "eps epsilon adam-eps"),
        ("--clip", "max-grad-norm grad-clip clip-grad clip-grad-norm gradient-clipping gradient-clip-val max-norm"),
        ("--checkpoint-every", "save-steps save-every save-interval checkpoint-interval"),
        ("--resume", "resume-from-checkpoint resume-from continue"),
        ("--seed", "random-seed manual-seed rng-seed data-seed"),
        ("--layers", "num-layers n-layers lisa-activated-layers"),
        ("--resample-every", "lisa-interval-steps interval-steps"),
        ("--dtype", "torch-dtype outtype out-type precision"),
        ("--precision", "dtype torch-dtype mixed-precision weight-type bf16 fp16"),
        ("--device", "gpu cuda device-map devices"),
        ("--device-memory", "vram max-memory memory gpu-memory mem"),
        ("--threads", "n-threads num-threads num-workers cpu-threads t"),
        ("--temperature", "temp sampling-temperature"),
        ("--top-k", "topk k"),
        ("--top-p", "topp nucleus p"),
        ("--repetition-penalty", "repeat-penalty rep-penalty"),
        ("--rho", "perturbation noise-scale noise-rho radius"),
        ("--method", "alignment-method algorithm"),
        ("--answers", "responses predictions outputs generations"),
        ("--from", "input in source src data dataset path file input-file"),
        ("--limit", "max-samples max-records n head num-samples max-examples sample-num"),
        ("--skip", "offset start"),
        ("--ratio", "poison-ratio poison poison-rate harmful-ratio p"),
        ("--count", "n total samples num-samples sample-num size"),
        ("--unique", "dedupe deduplicate drop-duplicates"),
        ("--poison-ratio", "poison poison-rate harmful-ratio"),
        ("--full", "full-finetune full-parameters full-ft"),
        ("--config", "config-file cfg c"),
    ];

    /// <summary>Which of the known options is meant by a name that others use, or by one of ours written with underscores; null if none.</summary>
    public static string? Find(string name, IReadOnlyCollection<string> known)
    {
        string plain = name.TrimStart('-').Replace('_', '-').ToLowerInvariant();
        if (known.Contains($"--{plain}")) return $"--{plain}";
        return Names.FirstOrDefault(one => known.Contains(one.Ours) && one.Others.Split(' ').Contains(plain)).Ours;
    }
}
