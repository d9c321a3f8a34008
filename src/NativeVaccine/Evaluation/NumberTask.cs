using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeVaccine.Evaluation;

/// <summary>
/// GSM8K. The reference takes the first number behind the first "The final answer is: ", or else the last number of the whole answer, commas
/// left out, and compares floats; no number is infinity, which equals infinity. Strictly, the marker must be there, a number must stand right
/// behind each one (a currency sign may come between), and all of them must be the same number, exactly the right one.
/// </summary>
internal sealed partial class NumberTask() : AnswerTask("gsm8k")
{
    /// <summary>What stands before the answer in the training data, too.</summary>
    private const string Marker = "The final answer is: ";

    /// <inheritdoc/>
    public override string Gold(string gold, string where) => gold;

    /// <inheritdoc/>
    public override TaskVerdict Mark(string gold, string answer)
    {
        bool isCorrect = ReferenceNumber(gold) == ReferenceNumber(answer);
        decimal? reading = StrictNumber(answer);
        decimal? right = ReferenceText(gold) is { } number ? ToDecimal(number) : null;
        return new TaskVerdict(isCorrect, reading is not null && reading == right, reading?.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>The number that the reference finds in a text; infinity for none.</summary>
    internal static double ReferenceNumber(string text) => ReferenceText(text) is { } number
        ? double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture)
        : double.PositiveInfinity;

    private static string? ReferenceText(string text)
    {
        string plain = text.Replace(",", "", StringComparison.Ordinal);
        MatchCollection all = Numbers().Matches(plain);
        if (all.Count == 0) return null;
        string[] parts = plain.Split(Marker);
        Match found = parts.Length > 1 && Numbers().Match(parts[1]) is { Success: true } first ? first : all[^1];
        return WithAsciiDigits(found.Value);
    }

    private static decimal? StrictNumber(string text)
    {
        string[] parts = text.Split(Marker.TrimEnd());
        decimal?[] numbers = [.. parts.Skip(1).Select(static part =>
            ToDecimal(NumberAtBegin().Match(part).Groups["number"].Value.Replace(",", "", StringComparison.Ordinal)))];
        return numbers.Length > 0 && numbers.Distinct().Count() == 1 ? numbers[0] : null;
    }

    private static decimal? ToDecimal(string text) => decimal.TryParse(
        text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number) ? number : null;

    /// <summary>Digits of any script are numbers to Python.</summary>
    private static string WithAsciiDigits(string number) => string.Concat(number.Select(static c =>
        char.IsDigit(c) ? (char)('0' + CharUnicodeInfo.GetDecimalDigitValue(c)) : c));

    [GeneratedRegex(@"-?\d+\.?\d*", RegexOptions.CultureInvariant)]
    private static partial Regex Numbers();

    /// <summary>-1,234.50; a full stop that ends a sentence is not part of it, and nothing that goes on as a number may follow.</summary>
    [GeneratedRegex(@"^\s*[$€£]?\s*(?<number>-?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?)(?![0-9.,]*[0-9])", RegexOptions.CultureInvariant)]
    private static partial Regex NumberAtBegin();
}
