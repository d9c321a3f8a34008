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
            .Start(context =>
            {
                var display = new Bars(context);
                T result = work(display);
                display.Finish();
                return result;
            });
    }

    /// <summary>Opens the next stage.</summary>
    /// <param name="title">A few words.</param>
    public abstract ProgressStage Stage(string title);

    /// <summary>Closes the last stage.</summary>
    public abstract void Finish();

    private sealed class Bars(ProgressContext context) : ProgressDisplay
    {
        /// <summary>More would not fit a small screen; the oldest are hidden.</summary>
        private const int MostShown = 12;
        private readonly Queue<ProgressTask> shown = new();

        public override ProgressStage Stage(string title)
        {
            // Every stage that was left is done, even if it did not report its last step.
            if (shown.Count > 0) Finish(shown.Last());
            if (shown.Count == MostShown) shown.Dequeue().HideWhenCompleted = true;
            ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: 1);
            shown.Enqueue(task);
            return new ProgressStage((fraction, detail) =>
            {
                task.Value = fraction;
                if (detail.Length > 0) task.Description = Markup.Escape($"{title}  {detail}");
            });
        }

        public override void Finish()
        {
            if (shown.Count > 0) Finish(shown.Last());
        }

        private static void Finish(ProgressTask task)
        {
            task.Value = task.MaxValue;
            task.StopTask();
        }
    }

    private sealed class Lines(TextWriter writer) : ProgressDisplay
    {
        // A file or a pipe wants a line now and then, not ten a second.
        private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(5);

        public override void Finish() { }

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
