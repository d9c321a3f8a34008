namespace NativeVaccine.Tests.Tokenization;

/// <summary>A test that needs the published tokenizers, which lie outside the repository; skipped where they are absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PublishedTokenizerFactAttribute : FactAttribute
{
    public PublishedTokenizerFactAttribute()
    {
        if (!File.Exists(Fixtures.PublishedTokenizer("llama2.model")))
            Skip = $"no published tokenizers at {Fixtures.PublishedTokenizer("")}";
    }
}
