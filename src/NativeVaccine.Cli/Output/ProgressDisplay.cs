using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace NativeVaccine.Cli.Output;

/// <summary>Shows how far the stages of a command are: bars on a screen, a line now and then elsewhere.</summary>
internal abstract class ProgressDisplay
{
    /// <summary>Does some work while a display shows its stages on the terminal's error stream.</summary>
    public static T Run<T>(Terminal terminal, Func<ProgressDisplay, T> work)
    {
        if (!terminal.IsErrorScreen) return work(new Lines(terminal.Error));
        return terminal.ErrorConsole.Progress()
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn { Width = 30 },
                new PercentageColumn(),
                new ElapsedTimeColumn(),
                new RemainingTimeColumn())
            .Start(context => work(new Bars(context)));
    }

    /// <summary>Opens the next stage.</summary>
    /// <param name="title">A few words.</param>
    public abstract ProgressStage Stage(string title);

    private sealed class Bars(ProgressContext context) : ProgressDisplay
    {
        private ProgressTask? last;

        public override ProgressStage Stage(string title)
        {
            // Every stage that was left is done, even if it did not report its last step.
            last?.Value(1);
            ProgressTask task = last = context.AddTask(Markup.Escape(title), maxValue: 1);
            return new ProgressStage((fraction, detail) =>
            {
                task.Value = fraction;
                if (detail.Length > 0) task.Description = Markup.Escape($"{title}  {detail}");
            });
        }
    }

    private sealed class Lines(TextWriter writer) : ProgressDisplay
    {
        private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(5);

        public override ProgressStage Stage(string title)
        {
            writer.WriteLine(title);
            var sinceLine = Stopwatch.StartNew();
            return new ProgressStage((fraction, detail) =>
            {
                if (sinceLine.Elapsed < ShortestPause) return;
                sinceLine.Restart();
                writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {fraction:P0} {detail}").TrimEnd());
            });
        }
    }
}

/// <summary>A stage of some work.</summary>
/// <param name="report">Takes the done part, from 0 to 1, and a few words about where it stands.</param>
internal sealed class ProgressStage(Action<double, string> report) : IProgress<double>
{
    /// <summary>Tells how far the stage is.</summary>
    public void Report(double value) => report(value, "");

    /// <summary>Tells how far the stage is, with a few words, such as the loss.</summary>
    public void Report(double value, string detail) => report(value, detail);
}

/// <summary>Tells on the thread that reports, at once and in order, unlike <see cref="Progress{T}"/>.</summary>
internal sealed class ImmediateProgress<T>(Action<T> report) : IProgress<T>
{
    /// <inheritdoc/>
    public void Report(T value) => report(value);
}
