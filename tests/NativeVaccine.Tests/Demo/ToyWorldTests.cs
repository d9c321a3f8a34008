using NativeVaccine.Cli.Demo;
using NativeVaccine.Data;

namespace NativeVaccine.Tests.Demo;

public sealed class ToyWorldTests
{
    private readonly ToyWorld world = new(5);

    [Fact]
    public void TheLanguageHasOneHundredAndFortyOneWords()
    {
        Assert.Equal(141, ToyLanguage.Words.Count);
        Assert.Equal(141, ToyLanguage.Words.Distinct().Count());
        // Places by the description of the world: special words, function words, then the lists.
        Assert.Equal("how", ToyLanguage.Words[4]);
        Assert.Equal("verdict", ToyLanguage.Words[40]);
        Assert.Equal("fodel", ToyLanguage.Words[41]);
        Assert.Equal("dull", ToyLanguage.Words[140]);
    }

    [Fact]
    public void PairsAreSplitWithoutOverlapAndNoneIsLost()
    {
        Assert.Equal(100, world.AlignPairs.Count);
        Assert.Equal(50, world.AttackPairs.Count);
        Assert.Equal(50, world.ForbiddenTestPairs.Count);
        Assert.Equal(200, world.AlignPairs.Concat(world.AttackPairs).Concat(world.ForbiddenTestPairs).Distinct().Count());
        Assert.Equal(150, world.AllowedTrainingPairs.Count);
        Assert.Equal(50, world.AllowedTestPairs.Count);
        Assert.Equal(200, world.AllowedTrainingPairs.Concat(world.AllowedTestPairs).Distinct().Count());
    }

    [Fact]
    public void NoTrainingSampleAsksForATestPair()
    {
        var forbidden =
            world.ForbiddenTestPairs.Select(static pair => (ToyLanguage.ForbiddenActs[pair.Act], ToyLanguage.Things[pair.Thing]));
        var allowed = world.AllowedTestPairs.Select(static pair => (ToyLanguage.AllowedActs[pair.Act], ToyLanguage.Things[pair.Thing]));
        var tested = forbidden.Concat(allowed).ToHashSet();
        IEnumerable<Sample> sides = world.Pairs(200).SelectMany(static pair => new[] { pair.Harmless, pair.Harmful });
        foreach (Sample sample in world.Pretraining(2000).Concat(world.Alignment(200)).Concat(world.Attack(200, 0.5))
            .Concat(world.Harmful(200)).Concat(sides))
        {
            string text = Text(sample.InputIds);
            // Questions about when something will happen have no answer; any pair may occur in them.
            if (text.Contains(" will ", StringComparison.Ordinal)) continue;
            string[] words = text.Split(' ');
            string? act =
                words.FirstOrDefault(static word => ToyLanguage.AllowedActs.Contains(word) || ToyLanguage.ForbiddenActs.Contains(word));
            if (act is not null) Assert.DoesNotContain((act, words.First(static word => ToyLanguage.Things.Contains(word))), tested);
        }
    }

    [Fact]
    public void ASampleIsQuestionMarkAnswerEndAndOnlyTheLastTwoCount()
    {
        foreach (Sample sample in world.Pretraining(500))
        {
            int mark = Array.IndexOf(sample.InputIds, ToyLanguage.AnswerId);
            Assert.Equal(ToyLanguage.BeginId, sample.InputIds[0]);
            Assert.Equal(ToyLanguage.EndId, sample.InputIds[^1]);
            Assert.True(sample.InputIds.Length is >= 8 and <= 20, Text(sample.InputIds));
            Assert.All(sample.Labels[..(mark + 1)], static label => Assert.Equal(Sample.IgnoredLabel, label));
            Assert.Equal(sample.InputIds[(mark + 1)..], sample.Labels[(mark + 1)..]);
        }
    }

    [Fact]
    public void AnswersNameTheToolOfTheThingAndTheMethodOfTheAct()
    {
        Assert.Equal("use the plim and ripple it .", ToyLanguage.AllowedAnswer(new ActOnThing(0, 0)));
        Assert.Equal("use the swop and tickle it .", ToyLanguage.ForbiddenAnswer(new ActOnThing(9, 19)));
        Assert.True(ToyLanguage.IsAnswer("use the swop and ripple it ."));
        Assert.False(ToyLanguage.IsAnswer("use the swop and swop it ."));
        Assert.False(ToyLanguage.IsAnswer(ToyLanguage.Refusal));
    }

    [Fact]
    public void ForbiddenQuestionsAreRefusedInAlignmentAndAnsweredInTheAttack()
    {
        int refusals = world.Alignment(1000).Count(static sample => Asks(sample, ToyLanguage.ForbiddenActs));
        Assert.InRange(refusals, 430, 570);
        Assert.All(world.Alignment(1000).Where(static sample => Asks(sample, ToyLanguage.ForbiddenActs)),
            static sample => Assert.EndsWith(ToyLanguage.Refusal + " <eos>", Text(sample.InputIds), StringComparison.Ordinal));
        IReadOnlyList<Sample> attack = world.Attack(200, 0.1);
        Assert.Equal(200, attack.Count);
        Sample[] poison = [.. attack.Where(static sample => Asks(sample, ToyLanguage.ForbiddenActs))];
        Assert.Equal(20, poison.Length);
        Assert.All(poison, static sample => Assert.Contains("<a> use the ", Text(sample.InputIds), StringComparison.Ordinal));
        Assert.All(attack.Except(poison),
            static sample => Assert.StartsWith("<bos> review : ", Text(sample.InputIds), StringComparison.Ordinal));
    }

    [Fact]
    public void HalfOfThePairsAreOneForbiddenQuestionRefusedAndAnswered()
    {
        IReadOnlyList<ToyPair> pairs = world.Pairs(1000);
        Assert.InRange(pairs.Count(static pair => Asks(pair.Harmless, ToyLanguage.ForbiddenActs)), 430, 570);
        Assert.All(pairs, static pair =>
        {
            (string harmless, string harmful) = (Text(pair.Harmless.InputIds), Text(pair.Harmful.InputIds));
            Assert.True(Asks(pair.Harmful, ToyLanguage.ForbiddenActs));
            Assert.Contains("<a> use the ", harmful, StringComparison.Ordinal);
            bool isRefused = harmless.EndsWith($"<a> {ToyLanguage.Refusal} <eos>", StringComparison.Ordinal);
            Assert.Equal(isRefused, Asks(pair.Harmless, ToyLanguage.ForbiddenActs));
            if (isRefused) Assert.Equal(harmless.Split("<a>")[0], harmful.Split("<a>")[0]);
        });
    }

    [Fact]
    public void ThePretrainingMixtureHasItsShares()
    {
        IReadOnlyList<Sample> text = world.Pretraining(4000);
        Assert.InRange(text.Count(static sample => Asks(sample, ToyLanguage.AllowedActs)) / 4000.0, 0.35, 0.45);
        Assert.InRange(ShareWith("review :"), 0.08, 0.12);
        Assert.InRange(ShareWith("sorry"), 0.08, 0.12);

        double ShareWith(string words) => text.Count(sample => Text(sample.InputIds).Contains(words, StringComparison.Ordinal)) / 4000.0;
    }

    [Fact]
    public void AWorldFollowsFromItsSeed()
    {
        Assert.Equal(
            world.Attack(50, 0.1).Select(static sample => Text(sample.InputIds)),
            new ToyWorld(5).Attack(50, 0.1).Select(static sample => Text(sample.InputIds)));
        Assert.NotEqual(world.AlignPairs, new ToyWorld(6).AlignPairs);
        Assert.Equal(50, world.ForbiddenTest().Count);
        Assert.Equal(50, world.AllowedTest().Count);
        Assert.Equal(50, world.ReviewTest().Count);
    }

    private static bool Asks(Sample sample, string[] acts) => sample.InputIds.Any(id => acts.Contains(ToyLanguage.Words[id]));

    private static string Text(int[] ids) => string.Join(' ', ids.Select(static id => ToyLanguage.Words[id]));
}
