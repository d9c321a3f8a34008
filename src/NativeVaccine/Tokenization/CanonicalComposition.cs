using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Unicode normalization form C (Unicode Standard Annex 15). .NET leaves text as it is where it runs without ICU, as this project does
/// (InvariantGlobalization), and tokens must not depend on the machine; so the tables are carried along.
/// </summary>
internal sealed class CanonicalComposition
{
    private const int HangulBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TrailBase = 0x11A7;
    private const int LeadCount = 19;
    private const int VowelCount = 21;
    private const int TrailCount = 28;
    private const int HangulCount = LeadCount * VowelCount * TrailCount;

    /// <summary>Text of characters below this one, the first combining mark, is in form C as it stands.</summary>
    private const char FirstAffected = '\u0300';

    private static readonly Lazy<CanonicalComposition> Tables = new(() => new CanonicalComposition());

    private readonly FrozenDictionary<int, int[]> decompositions;
    private readonly FrozenDictionary<(int First, int Second), int> compositions;
    private readonly FrozenDictionary<int, byte> classes;

    private CanonicalComposition()
    {
        var decompositions = new Dictionary<int, int[]>();
        var compositions = new Dictionary<(int First, int Second), int>();
        var classes = new Dictionary<int, byte>();
        using Stream resource = typeof(CanonicalComposition).Assembly.GetManifestResourceStream("canonical-composition.txt")!;
        using var reader = new StreamReader(resource);
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            switch (fields[0])
            {
                case "=":
                    compositions[(Hexadecimal(fields[2]), Hexadecimal(fields[3]))] = Hexadecimal(fields[1]);
                    goto case "-";
                case "-":
                    decompositions[Hexadecimal(fields[1])] = [.. fields[2..].Select(Hexadecimal)];
                    break;
                case "@":
                    for (int value = Hexadecimal(fields[1]); value <= Hexadecimal(fields[2]); value++)
                        classes[value] = byte.Parse(fields[3], CultureInfo.InvariantCulture);
                    break;
            }
        }

        this.decompositions = decompositions.ToFrozenDictionary();
        this.compositions = compositions.ToFrozenDictionary();
        this.classes = classes.ToFrozenDictionary();
    }

    /// <summary>The text in form C.</summary>
    /// <param name="text">Text without halves of surrogate pairs.</param>
    public static string Normalize(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange(FirstAffected, char.MaxValue))
            return text;
        CanonicalComposition tables = Tables.Value;
        var characters = new List<int>(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            tables.AppendDecomposed(rune.Value, characters);
        tables.Order(characters);
        tables.Compose(characters);
        var result = new StringBuilder(text.Length);
        foreach (int value in characters)
            result.Append(new Rune(value).ToString());
        return result.ToString();
    }

    private static int Hexadecimal(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private int Class(int character) => classes.GetValueOrDefault(character);

    private void AppendDecomposed(int character, List<int> result)
    {
        int hangul = character - HangulBase;
        if ((uint)hangul < HangulCount)
        {
            result.Add(LeadBase + (hangul / (VowelCount * TrailCount)));
            result.Add(VowelBase + (hangul % (VowelCount * TrailCount) / TrailCount));
            if (hangul % TrailCount != 0)
                result.Add(TrailBase + (hangul % TrailCount));
        }
        else if (decompositions.TryGetValue(character, out int[]? parts))
        {
            foreach (int part in parts)
                AppendDecomposed(part, result);
        }
        else
        {
            result.Add(character);
        }
    }

    /// <summary>Brings each run of combining marks into the order of their classes; marks of the same class keep theirs.</summary>
    private void Order(List<int> characters)
    {
        for (int begin = 0; begin < characters.Count; begin++)
        {
            if (Class(characters[begin]) == 0)
                continue;
            int end = begin + 1;
            while (end < characters.Count && Class(characters[end]) != 0)
                end++;
            int[] ordered = [.. characters[begin..end].OrderBy(Class)];
            for (int i = 0; i < ordered.Length; i++)
                characters[begin + i] = ordered[i];
            begin = end;
        }
    }

    /// <summary>Joins each mark with the starter before it, unless one of the same or a higher class stands between.</summary>
    private void Compose(List<int> characters)
    {
        int starter = -1;
        int lastClass = 0;
        int written = 0;
        for (int read = 0; read < characters.Count; read++)
        {
            int character = characters[read];
            int markClass = Class(character);
            bool adjacent = starter == written - 1;
            if (starter >= 0 && (adjacent || lastClass < markClass) && TryCompose(characters[starter], character, out int composed))
            {
                characters[starter] = composed;
                continue;
            }

            if (markClass == 0)
                starter = written;
            lastClass = markClass;
            characters[written++] = character;
        }

        characters.RemoveRange(written, characters.Count - written);
    }

    private bool TryCompose(int first, int second, out int composed)
    {
        (int lead, int vowel) = (first - LeadBase, second - VowelBase);
        if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
        {
            composed = HangulBase + (((lead * VowelCount) + vowel) * TrailCount);
            return true;
        }

        (int syllable, int trail) = (first - HangulBase, second - TrailBase);
        if ((uint)syllable < HangulCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            composed = first + trail;
            return true;
        }

        return compositions.TryGetValue((first, second), out composed);
    }
}
