using System.Text.RegularExpressions;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// The patterns by which byte-level tokenizers cut text before merging. Those of the known families are compiled when this project is
/// built; others are interpreted.
/// </summary>
internal static partial class SplitPatterns
{
    /// <summary>GPT-2, and what <c>ByteLevel</c> with <c>use_regex</c> stands for.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Llama-3 (the pattern of cl100k).</summary>
    public const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Qwen2: digits one by one.</summary>
    public const string Qwen2 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Each digit for itself (the pre-tokenizer <c>Digits</c> with <c>individual_digits</c>).</summary>
    public const string SingleDigits = @"\p{N}";

    private const RegexOptions Options = RegexOptions.CultureInvariant;
    private const int TimeoutMilliseconds = 10_000;

    /// <summary>The regular expression for a pattern of a tokenizer.json.</summary>
    /// <exception cref="InputException">.NET does not take it.</exception>
    public static Regex Find(string pattern, string where)
    {
        switch (pattern)
        {
            case Gpt2:
                return Gpt2Regex();
            case Llama3:
                return Llama3Regex();
            case Qwen2:
                return Qwen2Regex();
        }

        try
        {
            return new Regex(pattern, Options, TimeSpan.FromMilliseconds(TimeoutMilliseconds));
        }
        catch (ArgumentException exception)
        {
            throw new InputException($"{where}: the split pattern is not supported: {InputText.Shorten(exception.Message)}", exception);
        }
    }

    [GeneratedRegex(Gpt2, Options, TimeoutMilliseconds)]
    private static partial Regex Gpt2Regex();

    [GeneratedRegex(Llama3, Options, TimeoutMilliseconds)]
    private static partial Regex Llama3Regex();

    [GeneratedRegex(Qwen2, Options, TimeoutMilliseconds)]
    private static partial Regex Qwen2Regex();
}
