using System.Globalization;
using NativeVaccine.IO;

namespace NativeVaccine.Evaluation;

/// <summary>
/// A task whose answer is one of a few classes. The reference calls an answer right if one of the class's spellings occurs anywhere in it, so
/// that "negative, not positive" is right whatever the label is. Strictly, the class's name is the whole answer, in any case; white space,
/// quotation marks and a full stop around it do not matter.
/// </summary>
/// <param name="name">The task's name.</param>
/// <param name="spellings">What the reference looks for, of each class in the order of labels; the first is the class's name.</param>
internal sealed class ClassTask(string name, IReadOnlyList<string[]> spellings) : AnswerTask(name)
{
    private static readonly char[] Around = [' ', '\t', '\r', '\n', '.', '!', '"', '\'', '*'];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Classes { get; } = [.. spellings.Select(static ofClass => ofClass[0])];

    /// <inheritdoc/>
    public override string Gold(string gold, string where)
    {
        string text = gold.Trim();
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int label) && label < Classes.Count) return Classes[label];
        return Find(text) ?? throw new InputException(
            $"{where} is {InputText.Quote(gold)}: expected {string.Join(", ", Classes)}, or a label from 0 to {Classes.Count - 1}");
    }

    /// <inheritdoc/>
    public override TaskVerdict Mark(string gold, string answer)
    {
        bool isCorrect = spellings.First(ofClass => ofClass[0] == gold).Any(spelling => answer.Contains(spelling, StringComparison.Ordinal));
        string? reading = Find(answer.Trim(Around));
        return new TaskVerdict(isCorrect, reading == gold, reading);
    }

    private string? Find(string text) => Classes.FirstOrDefault(one => one.Equals(text, StringComparison.OrdinalIgnoreCase));
}
