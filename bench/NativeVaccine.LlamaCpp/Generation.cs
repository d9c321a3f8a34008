namespace NativeVaccine.LlamaCpp;

/// <summary>What a program made of some prompts.</summary>
/// <param name="Ids">The new tokens of each prompt.</param>
/// <param name="PromptSeconds">Until the first new token of the prompts that began together.</param>
/// <param name="DecodingSeconds">From there to the end.</param>
internal sealed record Generation(int[][] Ids, double PromptSeconds, double DecodingSeconds);

/// <summary>Loads the model, and continues prompts greedily.</summary>
internal interface ITextGenerator : IDisposable
{
    Generation Generate(IReadOnlyList<int[]> prompts, int newTokens);
}
