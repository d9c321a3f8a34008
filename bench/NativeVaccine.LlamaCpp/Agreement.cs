using System.Globalization;

namespace NativeVaccine.LlamaCpp;

/// <summary>No number without the same text: checks that both continue prompts with the same tokens.</summary>
internal static class Agreement
{
    private const int Prompts = 8, NewTokens = 48, Longest = 100;

    /// <summary>Two tokens whose logits are nearer than this may change places between programs that add up in another order.</summary>
    private const float Tie = 1e-4f;

    /// <summary>Says how it went.</summary>
    /// <exception cref="InvalidOperationException">They differ.</exception>
    public static string Check(ModelFiles files, int threads)
    {
        int[][] prompts = RandomPrompts.Unequal(Prompts, 3, Longest);
        using var ours = new OurGenerator(files.Folder, threads, Prompts, prompts, NewTokens);
        int[][] our = ours.Generate(prompts, NewTokens).Ids;
        int ties = 0;
        foreach (LlamaCppSettings settings in LlamaCppSettings.All(Prompts).Where(static each => !each.IsHalf && !each.IsFlash))
        {
            using var theirs = new LlamaCppGenerator(files.Gguf, threads, Longest + NewTokens, settings);
            var isSame = new bool[Prompts];
            Array.Fill(isSame, true);
            theirs.OnLogits = (prompt, position, logits) =>
            {
                if (!isSame[prompt]) return; // after a tie the texts differ
                int token = our[prompt][position];
                float most = logits[0];
                foreach (float logit in logits) most = Math.Max(most, logit);
                if (logits[token] == most) return;
                isSame[prompt] = false;
                ties++;
                if (most - logits[token] <= Tie) return;
                throw new InvalidOperationException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"prompt {prompt}, new token {position}: our token has a logit of {logits[token]} in llama.cpp, the largest is {most}"));
            };
            theirs.Generate(prompts, NewTokens);
        }
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Before anything was timed, both continued {Prompts} prompts of 3 to {Longest} tokens by {NewTokens} with the same tokens, llama.cpp with an fp32 cache (one for all, then one each) and without flash attention, which rounds to fp16")
            + (ties == 0 ? "." : string.Create(CultureInfo.InvariantCulture, $", but for {ties} places where two logits were within {Tie}."));
    }
}

/// <summary>Prompts of random tokens.</summary>
internal static class RandomPrompts
{
    public static int[][] Equal(int count, int length) => Of(Enumerable.Repeat(length, count));

    /// <summary>Lengths in a geometric row from the shortest to the longest, shuffled.</summary>
    public static int[][] Unequal(int count, int shortest, int longest)
    {
        int[] lengths = [.. Enumerable.Range(0, count).Select(i =>
            (int)Math.Round(shortest * Math.Pow((double)longest / shortest, i / (count - 1.0)), MidpointRounding.ToEven))];
        new Random(2).Shuffle(lengths);
        return Of(lengths);
    }

    private static int[][] Of(IEnumerable<int> lengths)
    {
        var random = new Random(1);
        return [.. lengths.Select(length => Enumerable.Range(0, length).Select(_ => random.Next(ModelFiles.Shape.VocabularySize)).ToArray())];
    }
}
