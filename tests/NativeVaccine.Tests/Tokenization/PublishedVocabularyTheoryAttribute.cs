namespace NativeVaccine.Tests.Tokenization;

/// <summary>A test that needs the folder that tests/published-tokenizers.sh made; skipped where NATIVEVACCINE_PUBLISHED_TOKENIZERS names none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PublishedVocabularyTheoryAttribute : TheoryAttribute
{
    public PublishedVocabularyTheoryAttribute()
    {
        if (Folder is null) Skip = "NATIVEVACCINE_PUBLISHED_TOKENIZERS names no folder of tests/published-tokenizers.sh";
    }

    public static string? Folder => Environment.GetEnvironmentVariable("NATIVEVACCINE_PUBLISHED_TOKENIZERS");
}
