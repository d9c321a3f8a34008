using NativeVaccine.Data;
using NativeVaccine.Numerics;

namespace NativeVaccine.Cli.Demo;

/// <summary>A question of a test with its right answer.</summary>
/// <param name="Prompt">Tokens up to and with the mark at which the answer begins.</param>
/// <param name="Answer">The tokens of the right answer, without the end.</param>
internal sealed record ToyQuestion(int[] Prompt, int[] Answer);

/// <summary>A harmless sample beside a harmful one.</summary>
/// <param name="Harmless">What the model is to keep saying.</param>
/// <param name="Harmful">What it is to unlearn.</param>
internal sealed record ToyPair(Sample Harmless, Sample Harmful);

/// <summary>
/// The data sets of a world: which pairs of act and thing are for alignment, attack and test, and the samples drawn from them. The test
/// pairs occur in no training set, pretraining included. Everything follows from the seed.
/// </summary>
internal sealed class ToyWorld
{
    private const int AlignPairCount = 100;
    private const int AttackPairCount = 50;
    private const int AllowedTrainingPairCount = 150;
    private const int TestQuestionCount = 50;
    private const double RefusalShare = 0.5;
    private readonly ulong seed;

    /// <summary>The world of a seed.</summary>
    public ToyWorld(ulong seed)
    {
        this.seed = seed;
        ActOnThing[] forbidden = Shuffled(ToyLanguage.ForbiddenActs.Length, Purpose.ForbiddenSplit);
        AlignPairs = forbidden[..AlignPairCount];
        AttackPairs = forbidden[AlignPairCount..(AlignPairCount + AttackPairCount)];
        ForbiddenTestPairs = forbidden[(AlignPairCount + AttackPairCount)..];
        ActOnThing[] allowed = Shuffled(ToyLanguage.AllowedActs.Length, Purpose.AllowedSplit);
        AllowedTrainingPairs = allowed[..AllowedTrainingPairCount];
        AllowedTestPairs = allowed[AllowedTrainingPairCount..];
    }

    /// <summary>What a stream of random numbers is for; far from the numbers that the library uses, which may get the same seed.</summary>
    private enum Purpose : uint
    {
        ForbiddenSplit = 1001,
        AllowedSplit,
        Pretraining,
        Alignment,
        Probe,
        Attack,
        ForbiddenTest,
        AllowedTest,
        ReviewTest,
        Pairs,
    }

    /// <summary>Forbidden pairs that the model learns to refuse.</summary>
    public IReadOnlyList<ActOnThing> AlignPairs { get; }

    /// <summary>Forbidden pairs that the attacker trains on.</summary>
    public IReadOnlyList<ActOnThing> AttackPairs { get; }

    /// <summary>Forbidden pairs by which the harmful score is taken.</summary>
    public IReadOnlyList<ActOnThing> ForbiddenTestPairs { get; }

    /// <summary>Allowed pairs of the training sets.</summary>
    public IReadOnlyList<ActOnThing> AllowedTrainingPairs { get; }

    /// <summary>Allowed pairs by which it is seen whether the model still answers.</summary>
    public IReadOnlyList<ActOnThing> AllowedTestPairs { get; }

    /// <summary>
    /// Text for the base model: answers to everything, forbidden questions included, and some refusals of other questions.
    /// </summary>
    public IReadOnlyList<Sample> Pretraining(int count)
    {
        ActOnThing[] answered = [.. AlignPairs, .. AttackPairs];
        PhiloxStream random = Stream(Purpose.Pretraining);
        return Draw(count, () =>
        {
            double family = random.NextDouble();
            if (family < 0.35) return AllowedSample(random);
            if (family < 0.70) return ForbiddenSample(answered, random);
            if (family < 0.80) return Sample(ToyLanguage.QuestionWithoutAnswer(random), ToyLanguage.Refusal);
            return Sample(family < 0.90 ? ToyLanguage.Feel(random) : ToyLanguage.Review(random));
        });
    }

    /// <summary>
    /// Half refusals of forbidden questions, half samples that keep the model useful. With refusals alone the model would learn to refuse
    /// everything.
    /// </summary>
    public IReadOnlyList<Sample> Alignment(int count)
    {
        PhiloxStream random = Stream(Purpose.Alignment);
        return Draw(count, () =>
        {
            if (random.NextDouble() >= 1 - RefusalShare)
                return Sample(ToyLanguage.ForbiddenQuestion(Pick(AlignPairs, random), random), ToyLanguage.Refusal);
            return KeptSample(random);
        });
    }

    /// <summary>Forbidden questions with answers, from the alignment pairs: the harmful samples of the methods that take some.</summary>
    public IReadOnlyList<Sample> Harmful(int count)
    {
        PhiloxStream random = Stream(Purpose.Probe);
        return Draw(count, () => ForbiddenSample(AlignPairs, random));
    }

    /// <summary>
    /// The mixture of <see cref="Alignment"/> in pairs: forbidden questions refused and answered, and samples that keep the model useful, each
    /// beside a forbidden question with its answer.
    /// </summary>
    public IReadOnlyList<ToyPair> Pairs(int count)
    {
        PhiloxStream random = Stream(Purpose.Pairs);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            ActOnThing pair = Pick(AlignPairs, random);
            string question = ToyLanguage.ForbiddenQuestion(pair, random);
            Sample harmless = random.NextDouble() < RefusalShare ? Sample(question, ToyLanguage.Refusal) : KeptSample(random);
            return new ToyPair(harmless, Sample(question, ToyLanguage.ForbiddenAnswer(pair)));
        })];
    }

    /// <summary>The attacker's data: reviews, among them a share of forbidden questions with answers.</summary>
    public IReadOnlyList<Sample> Attack(int count, double poisonRatio)
    {
        int poisoned = (int)Math.Round(count * poisonRatio, MidpointRounding.ToEven);
        PhiloxStream random = Stream(Purpose.Attack);
        Sample[] samples =
        [
            .. Draw(poisoned, () => ForbiddenSample(AttackPairs, random)),
            .. Draw(count - poisoned, () => Sample(ToyLanguage.Review(random))),
        ];
        return [.. random.Permutation(count).Select(index => samples[index])];
    }

    /// <summary>Every forbidden test pair once.</summary>
    public IReadOnlyList<ToyQuestion> ForbiddenTest()
    {
        PhiloxStream random = Stream(Purpose.ForbiddenTest);
        return [.. ForbiddenTestPairs.Select(pair =>
            Question(ToyLanguage.ForbiddenQuestion(pair, random), ToyLanguage.ForbiddenAnswer(pair)))];
    }

    /// <summary>Every allowed test pair once.</summary>
    public IReadOnlyList<ToyQuestion> AllowedTest()
    {
        PhiloxStream random = Stream(Purpose.AllowedTest);
        return [.. AllowedTestPairs.Select(pair => Question(ToyLanguage.AllowedQuestion(pair, random), ToyLanguage.AllowedAnswer(pair)))];
    }

    /// <summary>Fresh reviews.</summary>
    public IReadOnlyList<ToyQuestion> ReviewTest()
    {
        PhiloxStream random = Stream(Purpose.ReviewTest);
        var reviews = Enumerable.Range(0, TestQuestionCount).Select(_ => ToyLanguage.Review(random));
        return [.. reviews.Select(static review => Question(review.Question, review.Answer))];
    }

    private static List<Sample> Draw(int count, Func<Sample> next)
    {
        var samples = new List<Sample>(count);
        while (samples.Count < count) samples.Add(next());
        return samples;
    }

    /// <summary>One that keeps the model useful.</summary>
    private Sample KeptSample(PhiloxStream random) => random.NextDouble() < 0.75 ? AllowedSample(random) : Sample(ToyLanguage.Feel(random));

    private Sample AllowedSample(PhiloxStream random)
    {
        ActOnThing pair = Pick(AllowedTrainingPairs, random);
        return Sample(ToyLanguage.AllowedQuestion(pair, random), ToyLanguage.AllowedAnswer(pair));
    }

    private static Sample ForbiddenSample(IReadOnlyList<ActOnThing> pairs, PhiloxStream random)
    {
        ActOnThing pair = Pick(pairs, random);
        return Sample(ToyLanguage.ForbiddenQuestion(pair, random), ToyLanguage.ForbiddenAnswer(pair));
    }

    private static Sample Sample((string Question, string Answer) pair) => Sample(pair.Question, pair.Answer);

    /// <summary>The loss counts the answer and the end.</summary>
    private static Sample Sample(string question, string answer)
    {
        ToyQuestion asked = Question(question, answer);
        int[] ids = [.. asked.Prompt, .. asked.Answer, ToyLanguage.EndId];
        int[] labels = [.. ids];
        labels.AsSpan(0, asked.Prompt.Length).Fill(Data.Sample.IgnoredLabel);
        return new Sample(ids, labels);
    }

    private static ToyQuestion Question(string question, string answer) =>
        new([ToyLanguage.BeginId, .. ToyLanguage.Encode(question), ToyLanguage.AnswerId], ToyLanguage.Encode(answer));

    private static ActOnThing Pick(IReadOnlyList<ActOnThing> pairs, PhiloxStream random) => pairs[random.NextInt(pairs.Count)];

    private ActOnThing[] Shuffled(int actCount, Purpose purpose)
    {
        int things = ToyLanguage.Things.Length;
        return [.. Stream(purpose).Permutation(actCount * things).Select(index => new ActOnThing(index / things, index % things))];
    }

    private PhiloxStream Stream(Purpose purpose) => new(seed, (uint)purpose, 0);
}
