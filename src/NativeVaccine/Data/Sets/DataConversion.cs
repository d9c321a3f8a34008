using NativeVaccine.Data.Sources;
using NativeVaccine.IO;

namespace NativeVaccine.Data.Sets;

/// <summary>Makes a file of records, prompts or pairs of a data set's files, a record at a time.</summary>
public static class DataConversion
{
    /// <summary>Reads, converts and writes.</summary>
    /// <param name="options">What is made of what.</param>
    /// <param name="progress">Told the share that is read, and what is being read.</param>
    /// <param name="notice">Told in a line what a user should know before the end.</param>
    /// <param name="cancellation">Stops it; the file that was there before stays.</param>
    /// <returns>What was read, written and left out.</returns>
    /// <exception cref="InputException">
    /// A file cannot be read to its end; nothing is left to write; or, where it is to be strict, a record does not fit.
    /// </exception>
    public static PoolReport Run(ConversionOptions options, Action<double, string> progress, Action<string> notice, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        bool isArray = RecordFile.IsArray(options.Out);
        RecordSource source = RecordSource.Open(options.From, options.Split, notice);
        foreach (string file in source.Files.Where(file => AtomicFile.IsSame(file, options.Out)))
            throw new InputException($"{options.Out}: is what is read; expected another file to write");
        var report = new PoolReport { Length = options.Length is { } length ? new LengthTally(length) : null };
        foreach (string pool in options.Against) report.Watch(PromptPool.Read(pool, options, progress, notice, cancellation));
        AtomicFile.Write(options.Out, stream =>
        {
            using var file = new RecordFile(stream, isArray);
            Convert(options, source, file, report, progress, cancellation);
            if (report.Written == 0) throw NothingLeft(options, report);
            file.Finish();
        });
        return report;
    }

    private static void Convert(
        ConversionOptions options, RecordSource source, RecordFile file, PoolReport report, Action<double, string> progress, CancellationToken cancellation)
    {
        var census = new FieldCensus(options.Set.IsOfConversations);
        foreach (SourceRecord record in source.Read(progress))
        {
            cancellation.ThrowIfCancellationRequested();
            report.Read++;
            if (Fitting(record, options, report) is not { } converted) continue;
            if (options.Set.NamesUnusedFields) census.Add(record.Value);
            if (Take(converted, options, report) is not { } hashes) continue;
            file.Make(converted, options.Form);
            file.WriteLast();
            report.AddWritten(converted, hashes.Prompt, hashes.Whole);
            report.Length?.Add(file.Last, record.Where);
            if (report.Written == options.Limit) break;
        }
        report.Notices = [.. census.Notices()];
    }

    /// <summary>The record, if it fits.</summary>
    private static ConvertedRecord? Fitting(SourceRecord record, ConversionOptions options, PoolReport report)
    {
        try
        {
            if (record.Problem is not null) throw new InputException(record.Problem);
            JsonRecord.RequireObject(record.Value, record.Where);
            return options.Set.Convert(new SetRecord(record, options.Set.Expected), report.Read - 1, options);
        }
        catch (InputException exception) when (!options.IsStrict)
        {
            report.AddProblem(exception.Message);
            return null;
        }
    }

    /// <summary>The hashes of a record that is to be written; null for one that is left out, which is counted.</summary>
    private static (UInt128 Prompt, UInt128 Whole)? Take(ConvertedRecord record, ConversionOptions options, PoolReport report)
    {
        if (options.Kind != DataSet.AllKinds && record.Kind is { } kind && kind != options.Kind)
        {
            report.AddOtherKind(kind);
            return null;
        }
        if (options.Form != RecordForm.Prompts && !record.HasLabel)
        {
            report.WithoutLabel++;
            return null;
        }
        UInt128 prompt = TextHash.Of(record.Prompt);
        UInt128 whole = TextHash.Of(record.Prompt, options.Form == RecordForm.Prompts ? null : $"{record.Answer}{record.Harmful}");
        if (report.Has(prompt, whole, options.Unique))
        {
            report.LeftOutDuplicates++;
            return null;
        }
        if (report.Skipped < options.Skip)
        {
            report.Skipped++;
            return null;
        }
        return (prompt, whole);
    }

    private static InputException NothingLeft(ConversionOptions options, PoolReport report)
    {
        string first = report.NotFitting > 0 ? $"; the first that does not fit: {report.FirstProblem}" : "";
        return new InputException(FormattableString.Invariant(
            $"{options.From}: nothing to write of its {report.Read} records ({report.NotFitting} do not fit, {report.WithoutLabel} have no label, {report.OtherKinds} are of another kind, {report.Skipped} passed over)") + first);
    }
}
