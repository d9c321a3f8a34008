using System.Numerics.Tensors;
using LLama.Native;

namespace NativeVaccine.LlamaCpp;

/// <summary>What llama.cpp lets its user choose.</summary>
/// <param name="Slots">Sequences at a time.</param>
/// <param name="IsUnified">One buffer of keys and values for all sequences, or one for each.</param>
/// <param name="IsHalf">They are fp16, as by default, or fp32.</param>
/// <param name="IsFlash">Whether flash attention is taken where there is one, as by default. On a CPU it rounds to fp16 even from fp32.</param>
internal sealed record LlamaCppSettings(int Slots, bool IsUnified, bool IsHalf, bool IsFlash)
{
    /// <summary>Those that may be the fastest; flash attention from an fp32 cache never was.</summary>
    public static IEnumerable<LlamaCppSettings> All(int slots) =>
        [new(slots, true, true, true), new(slots, false, true, true), new(slots, true, false, false), new(slots, false, false, false)];

    public override string ToString() => FormattableString.Invariant($"{Slots}, ")
        + (IsHalf ? "fp16 cache, " : "fp32 cache, ") + (IsUnified ? "one for all" : "one each") + (IsFlash ? ", flash" : "");
}

/// <summary>
/// llama.cpp with batches of several sequences, as its server fills them: every step holds the next token of each sequence that goes on and
/// the whole prompts of those that take the places of ended ones.
/// </summary>
internal sealed class LlamaCppGenerator : ITextGenerator
{
    private const int LargestBatch = 2048; // the server's
    private readonly int slotCount;
    private readonly SafeLlamaModelHandle model;
    private readonly SafeLLamaContextHandle context;

    public LlamaCppGenerator(string path, int threads, int capacity, LlamaCppSettings settings)
    {
        slotCount = settings.Slots;
        model = SafeLlamaModelHandle.LoadFromFile(path, LLamaModelParams.Default());
        LLamaContextParams options = LLamaContextParams.Default();
        options.n_ctx = (uint)(slotCount * capacity);
        options.n_seq_max = (uint)slotCount;
        options.n_batch = LargestBatch;
        options.n_ubatch = 512;
        options.n_threads = threads;
        options.n_threads_batch = threads;
        options.llama_flash_attn_type = settings.IsFlash
            ? LLamaFlashAttentionType.LLAMA_FLASH_ATTENTION_TYPE_AUTO
            : LLamaFlashAttentionType.LLAMA_FLASH_ATTENTION_TYPE_DISABLED;
        options.type_k = options.type_v = settings.IsHalf ? GGMLType.GGML_TYPE_F16 : GGMLType.GGML_TYPE_F32;
        options.kv_unified = settings.IsUnified;
        context = SafeLLamaContextHandle.Create(model, options);
    }

    /// <summary>The logits of the last row that each step of <see cref="Generate"/> computed, if somebody wants to look.</summary>
    public Action<int, int, Span<float>>? OnLogits { get; set; }

    public Generation Generate(IReadOnlyList<int[]> prompts, int newTokens)
    {
        TimeSpan start = Clock.Now;
        double prompt = 0;
        context.MemoryClear(data: false);
        List<int>[] results = [.. prompts.Select(static _ => new List<int>())];
        int[] slots = new int[slotCount];
        Array.Fill(slots, -1);
        int waiting = 0;
        var batch = new LLamaBatch();
        int[] row = new int[slotCount];
        while (Fill(batch, prompts, results, slots, row, ref waiting))
        {
            DecodeResult result = context.Decode(batch);
            if (result != DecodeResult.Ok) throw new InvalidOperationException($"llama_decode: {result}");
            for (int slot = 0; slot < slotCount; slot++)
            {
                if (slots[slot] < 0) continue;
                List<int> continuation = results[slots[slot]];
                Span<float> logits = context.GetLogitsIth(row[slot]);
                OnLogits?.Invoke(slots[slot], continuation.Count, logits);
                continuation.Add(TensorPrimitives.IndexOfMax<float>(logits));
                if (continuation.Count < newTokens) continue;
                context.MemorySequenceRemove((LLamaSeqId)slot, 0, -1);
                slots[slot] = -1;
            }
            prompt = prompt > 0 ? prompt : Clock.SecondsSince(start);
        }
        return new Generation([.. results.Select(static ids => ids.ToArray())], prompt, Clock.SecondsSince(start) - prompt);
    }

    /// <summary>Fills the batch and says which row of it each slot's logits are; false when all is done.</summary>
    private static bool Fill(LLamaBatch batch, IReadOnlyList<int[]> prompts, List<int>[] results, int[] slots, int[] row, ref int waiting)
    {
        batch.Clear();
        for (int slot = 0; slot < slots.Length; slot++)
        {
            if (slots[slot] < 0) continue;
            List<int> continuation = results[slots[slot]];
            row[slot] = batch.Add(continuation[^1], prompts[slots[slot]].Length + continuation.Count - 1, (LLamaSeqId)slot, true);
        }
        for (int slot = 0; slot < slots.Length && waiting < prompts.Count; slot++)
        {
            if (slots[slot] >= 0 || batch.TokenCount + prompts[waiting].Length > LargestBatch) continue;
            slots[slot] = waiting++;
            int[] prompt = prompts[slots[slot]];
            for (int i = 0; i < prompt.Length; i++) row[slot] = batch.Add(prompt[i], i, (LLamaSeqId)slot, i == prompt.Length - 1);
        }
        return batch.TokenCount > 0;
    }

    public void Dispose()
    {
        context.Dispose();
        model.Dispose();
    }
}
