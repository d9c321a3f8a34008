using NativeVaccine.Engine;
using NativeVaccine.Models;

namespace NativeVaccine.LlamaCpp;

/// <summary>Our engine with room as the verbs plan it (PreparedPrompts).</summary>
internal sealed class OurGenerator : ITextGenerator
{
    private readonly ModelFolder folder;
    private readonly Device device;
    private readonly MemoryPlan plan;
    private readonly Session session;

    public OurGenerator(string path, int threads, int atATime, IReadOnlyList<int[]> prompts, int newTokens)
    {
        int longest = prompts.Max(static prompt => prompt.Length);
        folder = ModelFolder.Open(path);
        device = Device.Open(threads: threads);
        plan = MemoryPlan.Create(device, folder.Configuration, new SessionOptions
        {
            MaxTokens = prompts.Select(static prompt => prompt.Length).OrderDescending().Take(atATime).Sum(),
            MaxSamples = atATime,
            LongestSample = longest,
            Training = false,
            Optimizers = 0,
            WeightType = ElementType.Float32,
            DecodeSamples = atATime,
            DecodeCapacity = longest + newTokens,
        });
        session = Session.Create(device, plan);
        session.Load(folder);
    }

    public Generation Generate(IReadOnlyList<int[]> prompts, int newTokens)
    {
        TimeSpan start = Clock.Now;
        double prompt = 0;
        IReadOnlyList<int[]> ids = session.Decoder.Generate(
            prompts,
            new GenerationOptions { MaxNewTokens = newTokens },
            _ => prompt = prompt > 0 ? prompt : Clock.SecondsSince(start));
        return new Generation([.. ids], prompt, Clock.SecondsSince(start) - prompt);
    }

    public void Dispose()
    {
        session.Dispose();
        plan.Dispose();
        device.Dispose();
        folder.Dispose();
    }
}
