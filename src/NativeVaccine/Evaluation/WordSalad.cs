namespace NativeVaccine.Evaluation;

/// <summary>
/// Recognises words in no order. Running text of any language is full of its small words, and these stand in an order: an article is
/// followed by no preposition. A longer text in plain Latin letters with hardly one of the small words of seven languages is a salad (a
/// list has commas, and passes), and so is one in which English small words follow each other as they never do. Letters with marks are a
/// sign of some other language, and let a text pass.
/// </summary>
internal static class WordSalad
{
    private const int FewestWords = 10;
    private const double LeastShareOfSmallWords = 0.08;
    private const double LeastMarksPerWord = 0.15;
    private const int FewestBadPairs = 2;
    private const double MostBadPairs = 0.1;

    private static readonly string[][] SmallWords =
    [
        // English, German, French, Spanish, Italian, Portuguese, Dutch.
        Split("the a an of to and in is it you that he was for on are with as i his they be at one have this from or had by but not what all were we when your can there use each which she how their if will up other about out then them so some her would make him into has two more no way could than been its who now my over down only may after most also where much before any these those until just very again while because through under between"),
        Split("der die das und in den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über so zum war man dann dreht"),
        Split("le la les de des du un une et à en que qui est dans pour pas sur il elle avec ne se ce au par plus puis son sa ses vous nous faut je"),
        Split("el la los las de del un una y en que es por con para no se su al lo como más pero sus le o este ya cuando muy sin"),
        Split("il lo la i gli le di del della un una e in che è per con non si su al da come più ma poi sono"),
        Split("o a os as de do da um uma e em que é por com para não se na no ao como mais mas foi ele das dos"),
        Split("de het een en van in is dat op te zijn met voor niet aan er om ook als dan maar bij of uit nog naar je"),
    ];

    private static readonly HashSet<string> Determiners = [.. Split("the a an my your his their our its every")];
    private static readonly HashSet<string> AfterNoDeterminer =
        [.. Split("the a an of and or is are was were be been to in on at from with it he we they you if for by did do has had go as")];
    private static readonly HashSet<string> Prepositions = [.. Split("of from with into at for to by as under")];
    private static readonly HashSet<string> AfterNoPreposition = [.. Split("of is are was were and or did has had he we they been")];
    private static readonly HashSet<string> Verbs = [.. Split("is are was were be been did has had")];
    private static readonly HashSet<string> AfterNoVerb = [.. Split("is are was were of and did")];

    /// <summary>True if the words of a text are in no order.</summary>
    public static bool Is(string text)
    {
        string[] words = ResponseText.Words(text);
        if (words.Length < FewestWords || words.Any(static word => word.Any(static c => c > '\u007f'))) return false;
        return LacksSmallWords(text, words) || HasWrongPairs(words);
    }

    /// <summary>True if a text is nothing but English small words: the beginning of something.</summary>
    public static bool IsOnlySmallWords(string[] words) =>
        words.Length is > 0 and < 4 && words.All(static word => Determiners.Contains(word) || Prepositions.Contains(word));

    private static bool LacksSmallWords(string text, string[] words)
    {
        int marks = text.Count(static c => c is ',' or '.' or ';' or ':' or '\n' or '!' or '?' or '(' or '=');
        return marks < LeastMarksPerWord * words.Length
            && SmallWords.All(language => words.Count(word => language.Contains(word)) < LeastShareOfSmallWords * words.Length);
    }

    private static bool HasWrongPairs(string[] words)
    {
        int wrong = words.Zip(words.Skip(1)).Count(static pair =>
            (Determiners.Contains(pair.First) && AfterNoDeterminer.Contains(pair.Second))
            || (Prepositions.Contains(pair.First) && AfterNoPreposition.Contains(pair.Second))
            || (Verbs.Contains(pair.First) && AfterNoVerb.Contains(pair.Second)));
        return wrong >= FewestBadPairs && wrong > MostBadPairs * (words.Length - 1);
    }

    private static string[] Split(string words) => words.Split(' ');
}
