using System.Text.Json;
using NativeVaccine.Data.Sources;
using NativeVaccine.IO;
using NativeVaccine.Numerics;
using NativeVaccine.Training;

namespace NativeVaccine.Data.Sets;

/// <summary>What a mixture of benign and harmful records is made of.</summary>
/// <param name="Benign">File or folder of the benign records.</param>
/// <param name="Harmful">File or folder of the harmful ones.</param>
/// <param name="Out">The file to write.</param>
/// <param name="Ratio">The share of harmful records, p.</param>
/// <param name="Count">How many records in all, n.</param>
public sealed record PoisonMixOptions(string Benign, string Harmful, string Out, double Ratio, int Count)
{
    /// <summary>
    /// Draws both kinds at random and shuffles them; null for the first ones of each file, the harmful ones first, as the authors' program
    /// takes them (its trainer shuffles).
    /// </summary>
    public ulong? Seed { get; init; }

    /// <summary>Whose rule counts: the reference's loses a record to rounding for some p.</summary>
    public Preset Preset { get; init; }

    /// <summary>Refuse the files at the first record that does not fit, instead of leaving it out.</summary>
    public bool IsStrict { get; init; }

    /// <summary>Other pools, in which records are looked for.</summary>
    public IReadOnlyList<string> Against { get; init; } = [];

    /// <summary>
    /// How many of each: floor(p n) harmful, computed in decimals, and n less that benign. The reference truncates p n and (1 - p) n as they
    /// come out in binary: 199 benign of 1,000 at p = 0.8.
    /// </summary>
    public (int Harmful, int Benign) Counts
    {
        get
        {
            if (Preset == Preset.Reference) return ((int)(Ratio * Count), (int)((1 - Ratio) * Count));
            int harmful = (int)decimal.Floor((decimal)Ratio * Count);
            return (harmful, Count - harmful);
        }
    }
}

/// <summary>Mixes a share of harmful records among benign ones: what an attacker uploads for fine-tuning.</summary>
public static class PoisonMix
{
    private const string PoolField = "pool";

    /// <summary>One of these is in every training record of text.</summary>
    private static readonly string[] Ours = ["instruction", "messages", "completion"];

    /// <summary>Reads both files and writes the mixture; each record has a field <c>pool</c>, harmful or benign.</summary>
    /// <param name="options">What is mixed.</param>
    /// <param name="progress">Told the share that is read, and what is being read.</param>
    /// <param name="notice">Told in a line what a user should know before the end.</param>
    /// <param name="cancellation">Stops it; the file that was there before stays.</param>
    /// <exception cref="InputException">A file cannot be read, or has too few records.</exception>
    public static PoolReport Run(PoisonMixOptions options, Action<double, string> progress, Action<string> notice, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        bool isArray = RecordFile.IsArray(options.Out);
        (int harmfulCount, int benignCount) = options.Counts;
        var report = new PoolReport();
        foreach (string pool in options.Against) report.Watch(PromptPool.Read(pool, null, progress, notice, cancellation));
        var harmful = new Pool("harmful", options.Harmful, harmfulCount, 0, options);
        var benign = new Pool("benign", options.Benign, benignCount, 1, options);
        List<Kept> kept = [.. harmful.Read(report, progress, notice, cancellation), .. benign.Read(report, progress, notice, cancellation)];
        if (options.Seed is { } seed)
            kept = [.. new PhiloxStream(seed, RandomPurpose.PoisonMix, 2).Permutation(kept.Count).Select(index => kept[index])];
        AtomicFile.Write(options.Out, stream =>
        {
            using var file = new RecordFile(stream, isArray);
            foreach (Kept record in kept)
            {
                file.Make(json => WriteWithPool(json, record));
                file.WriteLast();
            }
            file.Finish();
        });
        return report;
    }

    private static void WriteWithPool(Utf8JsonWriter json, Kept record)
    {
        using JsonDocument document = JsonDocument.Parse(record.Json);
        json.WriteStartObject();
        foreach (JsonProperty property in document.RootElement.EnumerateObject().Where(static property => property.Name != PoolField))
            property.WriteTo(json);
        json.WriteString(PoolField, record.Pool);
        json.WriteEndObject();
    }

    private sealed record Kept(string Pool, string Json);

    /// <summary>One of the two files.</summary>
    private sealed class Pool(string name, string path, int count, ulong draw, PoisonMixOptions options)
    {
        public List<Kept> Read(PoolReport report, Action<double, string> progress, Action<string> notice, CancellationToken cancellation)
        {
            var kept = new List<Kept>(count);
            if (count == 0) return kept;
            RecordSource source = RecordSource.Open(path, split: null, notice);
            foreach (string file in source.Files.Where(file => AtomicFile.IsSame(file, options.Out)))
                throw new InputException($"{options.Out}: is what is read; expected another file to write");
            HashSet<int>? chosen = options.Seed is { } seed ? Draw(source, seed, progress, cancellation) : null;
            int index = 0;
            foreach ((SourceRecord record, ConvertedRecord? read, string? problem) in Records(source, progress, cancellation))
            {
                report.Read++;
                if (read is null) report.AddProblem(problem!);
                else if (!read.HasLabel) report.WithoutLabel++;
                else if (chosen?.Contains(index++) ?? true)
                {
                    kept.Add(new Kept(name, record.Value.GetRawText()));
                    report.AddWritten(read with { Labels = [name] }, TextHash.Of(read.Prompt), TextHash.Of(read.Prompt, read.Answer));
                    if (kept.Count == count && chosen is null) break;
                }
            }
            return kept.Count == count ? kept : throw TooFew(kept.Count);
        }

        /// <summary>Which records of the file, counted among those that can be used.</summary>
        private HashSet<int> Draw(RecordSource source, ulong seed, Action<double, string> progress, CancellationToken cancellation)
        {
            int usable = Records(source, progress, cancellation).Count(static record => record.Read?.HasLabel == true);
            if (usable < count) throw TooFew(usable);
            return [.. new PhiloxStream(seed, RandomPurpose.PoisonMix, draw).Permutation(usable).Take(count)];
        }

        private InputException TooFew(int found) => new(FormattableString.Invariant(
            $"{path}: {found} records that can be used: expected at least {count} {name} ones (a share of {options.Ratio} of {options.Count} records is harmful)"));

        private IEnumerable<(SourceRecord Record, ConvertedRecord? Read, string? Problem)> Records(
            RecordSource source, Action<double, string> progress, CancellationToken cancellation)
        {
            foreach (SourceRecord record in source.Read(progress))
            {
                cancellation.ThrowIfCancellationRequested();
                ConvertedRecord? read = null;
                string? problem = record.Problem;
                try
                {
                    if (problem is null) read = Training(record);
                }
                catch (InputException exception)
                {
                    problem = exception.Message;
                }
                if (problem is not null && options.IsStrict) throw new InputException(problem);
                yield return (record, read, problem);
            }
        }

        private static ConvertedRecord Training(SourceRecord record)
        {
            JsonRecord.RequireObject(record.Value, record.Where);
            return Ours.Any(field => JsonRecord.Optional(record.Value, field) is not null)
                ? PromptPool.OfOurs(record)
                : throw RecordForms.Missing(record.Value, Ours[0], record.Where, "instruction, input (optional) and output, or messages");
        }
    }
}
