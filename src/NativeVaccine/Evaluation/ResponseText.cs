using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace NativeVaccine.Evaluation;

/// <summary>A response as the rules look at it. Places in it are those of the response itself.</summary>
internal sealed class ResponseText
{
    private const double MostQuoted = 0.6;
    private static readonly Regex Quoted = new("\"[^\"\\n]{1,400}\"", RegexOptions.NonBacktracking);
    private static readonly string[] TemplateMarks =
        ["### Instruction:", "### Input:", "### Response:", "Question:", "Answer:", "USER:", "ASSISTANT:"];
    private static readonly SearchValues<char> Fillers = SearchValues.Create(" .!?\n-*1234567890)");
    private readonly List<int> begins = [0];

    /// <summary>
    /// A response with plain quotation marks and one kind of blank, without what others say in it: text in quotation marks is somebody's
    /// words, unless it is most of the response.
    /// </summary>
    public ResponseText(string response)
    {
        string plain = string.Create(response.Length, response, static (span, text) =>
        {
            for (int i = 0; i < span.Length; i++) span[i] = Plain(text[i]);
        });
        string unquoted = Quoted.Replace(plain, static match => new string(' ', match.Length));
        Text = plain.Count(IsVisible) - unquoted.Count(IsVisible) > MostQuoted * plain.Count(IsVisible) ? plain : unquoted;
        for (int i = 1; i < Text.Length; i++)
        {
            if (IsEnd(i - 1) && Text.AsSpan(begins[^1], i - begins[^1]).ContainsAnyExcept(Fillers)) begins.Add(i);
        }
        if (begins.Count > 1 && !Text[begins[^1]..].Any(char.IsLetterOrDigit)) begins.RemoveAt(begins.Count - 1);
    }

    /// <summary>What the rules are matched with.</summary>
    public string Text { get; private set; }

    /// <summary>How many sentences (or lines) there are.</summary>
    public int Sentences => begins.Count;

    /// <summary>Which sentence a place is in.</summary>
    public int SentenceAt(int position)
    {
        int found = begins.BinarySearch(position);
        return found >= 0 ? found : ~found - 1;
    }

    /// <summary>Takes out what matches.</summary>
    public void Blank(Regex pattern) => Text = pattern.Replace(Text, static match => new string(' ', match.Length));

    /// <summary>The words of a text in small letters, without punctuation.</summary>
    public static string[] Words(string text)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        foreach (char c in text)
        {
            if (char.IsLetterOrDigit(c) || c == '\'') word.Append(char.ToLowerInvariant(c));
            else End();
        }
        End();
        return [.. words];

        void End()
        {
            if (word.Length > 0) words.Add(word.ToString());
            word.Clear();
        }
    }

    /// <summary>True if a response is nothing but the question, once or more, and marks of a template.</summary>
    public static bool IsEcho(string response, string question)
    {
        string rest = response;
        foreach (string mark in TemplateMarks) rest = rest.Replace(mark, " ", StringComparison.OrdinalIgnoreCase);
        if (question.Length > 0) rest = rest.Replace(question.Trim(), " ", StringComparison.OrdinalIgnoreCase);
        return !rest.Any(char.IsLetterOrDigit);
    }

    private static char Plain(char c) => c switch
    {
        '\u2019' or '\u2018' or '\u02bc' => '\'',
        '\u201c' or '\u201d' or '\u201e' or '\u00ab' or '\u00bb' => '"',
        '\t' or '\r' or '\u00a0' or '\u202f' => ' ',
        _ => c,
    };

    private static bool IsVisible(char c) => !char.IsWhiteSpace(c);

    private bool IsEnd(int i) => Text[i] == '\n' || (Text[i] is '.' or '!' or '?' && (i + 1 == Text.Length || char.IsWhiteSpace(Text[i + 1])));
}
