using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace NativeVaccine.Chat;

/// <summary>
/// A hash of what a Jinja template says, whatever its spacing, its kind of quotes and whether it writes <c>a.b</c> or <c>a['b']</c>. Two
/// templates with one fingerprint render alike; nothing is rendered here. White space outside of tags counts as far as it is written: as
/// transformers sets Jinja up, the line break after a block and the indentation before it do not (trim_blocks, lstrip_blocks).
/// </summary>
internal sealed class JinjaFingerprint
{
    private static readonly string[] LongOperators = ["==", "!=", "<=", ">=", "//", "**"];

    private readonly string template;
    private readonly StringBuilder canonical = new();
    private readonly StringBuilder output = new();
    private int at;
    private bool beginsLine = true;

    private JinjaFingerprint(string template) => this.template = template;

    /// <summary>16 hexadecimal digits.</summary>
    /// <exception cref="InputException">A tag or a string has no end.</exception>
    public static string Of(string template)
    {
        string text = template.ReplaceLineEndings("\n");
        var reader = new JinjaFingerprint(text.EndsWith('\n') ? text[..^1] : text);
        reader.Read();
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(reader.canonical.ToString())))[..16];
    }

    private void Read()
    {
        while (at < template.Length)
        {
            int open = NextTag();
            string text = template[at..(open < 0 ? template.Length : open)];
            if (open < 0)
            {
                output.Append(text);
                break;
            }
            char kind = template[open + 1];
            at = open + 2;
            char mark = at < template.Length ? template[at] : ' ';
            if (mark is '-' or '+') at++;
            if (mark == '-') text = text.TrimEnd();
            else if (mark != '+' && kind != '{') text = WithoutIndentation(text);
            output.Append(text);
            List<string> tokens = kind == '#' ? SkipComment() : ReadTokens(kind == '{' ? "}}" : "%}");
            AfterTag(kind);
            if (kind == '{' && tokens is [['"', ..] literal]) output.Append(literal.AsSpan(1));
            else if (kind != '#') AppendTag(kind, tokens);
        }
        FlushOutput();
    }

    private int NextTag()
    {
        for (int i = at; i + 1 < template.Length; i++)
        {
            if (template[i] == '{' && template[i + 1] is '{' or '%' or '#') return i;
        }
        return -1;
    }

    /// <summary>lstrip_blocks: spaces and tabs between the beginning of a line and a block are left out.</summary>
    private string WithoutIndentation(string text)
    {
        int line = text.LastIndexOf('\n') + 1;
        return (line > 0 || beginsLine) && string.IsNullOrWhiteSpace(text[line..]) ? text[..line] : text;
    }

    /// <summary>White space after a tag: all of it after a minus, one line break after a block (trim_blocks).</summary>
    private void AfterTag(char kind)
    {
        int end = at;
        bool stripsAll = template[end - 3] == '-';
        if (stripsAll)
        {
            while (at < template.Length && char.IsWhiteSpace(template[at])) at++;
        }
        else if (kind != '{' && template[end - 3] != '+' && at < template.Length && template[at] == '\n') at++;
        beginsLine = at > end && template[at - 1] == '\n';
    }

    private List<string> SkipComment()
    {
        int end = template.IndexOf("#}", at, StringComparison.Ordinal);
        if (end < 0) throw Broken("a comment");
        at = end + 2;
        return [];
    }

    /// <summary>The tokens of a tag up to its end; a string begins with a quotation mark and holds what it stands for.</summary>
    private List<string> ReadTokens(string end)
    {
        var tokens = new List<string>();
        int braces = 0;
        while (at < template.Length)
        {
            char next = template[at];
            bool isMarked = next is '-' or '+';
            if (braces == 0 && string.CompareOrdinal(template, at + (isMarked ? 1 : 0), end, 0, end.Length) == 0)
            {
                at += end.Length + (isMarked ? 1 : 0);
                return tokens;
            }
            if (char.IsWhiteSpace(next))
            {
                at++;
                continue;
            }
            if (next == '{') braces++;
            if (next == '}') braces--;
            string token = ReadToken(next);
            // a.b is a['b'].
            bool isAttribute = tokens is [.., _, "."] && IsName(token) && (IsName(tokens[^2]) || tokens[^2] is "]" or ")" || tokens[^2][0] == '"');
            if (!isAttribute)
            {
                tokens.Add(token);
                continue;
            }
            tokens[^1] = "[";
            tokens.AddRange([$"\"{token}", "]"]);
        }
        throw Broken("a tag");
    }

    private string ReadToken(char next)
    {
        if (next is '\'' or '"') return ReadString(next);
        int begin = at;
        if (char.IsLetterOrDigit(next) || next == '_')
        {
            while (at < template.Length && (char.IsLetterOrDigit(template[at]) || template[at] == '_')) at++;
            return template[begin..at];
        }
        string? operatorText = LongOperators.FirstOrDefault(each => string.CompareOrdinal(template, begin, each, 0, each.Length) == 0);
        at += operatorText?.Length ?? 1;
        return template[begin..at];
    }

    private static bool IsName(string token) => char.IsLetter(token[0]) || token[0] == '_';

    private string ReadString(char quote)
    {
        var text = new StringBuilder("\"");
        for (at++; at < template.Length && template[at] != quote; at++)
        {
            if (template[at] != '\\' || at + 1 >= template.Length)
            {
                text.Append(template[at]);
                continue;
            }
            at++;
            switch (template[at])
            {
                case 'n': text.Append('\n'); break;
                case 't': text.Append('\t'); break;
                case 'r': text.Append('\r'); break;
                case '\\' or '\'' or '"': text.Append(template[at]); break;
                case 'u' when at + 4 < template.Length
                    && ushort.TryParse(template.AsSpan(at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code):
                    text.Append((char)code);
                    at += 4;
                    break;
                default: text.Append('\\').Append(template[at]); break;
            }
        }
        if (at >= template.Length) throw Broken("a string");
        at++;
        return text.ToString();
    }

    private void AppendTag(char kind, List<string> tokens)
    {
        FlushOutput();
        canonical.Append(kind);
        foreach (string token in tokens) Append(token);
        canonical.Append('\n');
    }

    private void FlushOutput()
    {
        if (output.Length == 0) return;
        Append(output.ToString());
        canonical.Append('\n');
        output.Clear();
    }

    /// <summary>With its length, so that no two lists of tokens are written alike.</summary>
    private void Append(string token) => canonical.Append(CultureInfo.InvariantCulture, $" {token.Length}:").Append(token);

    private static InputException Broken(string what) => new($"{what} has no end");
}
