using System.Diagnostics;
using System.Text.Json;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli.Experiments;

/// <summary>The right to work on a job: one has it, whoever ends leaves it, whoever lives keeps it.</summary>
public sealed class JobClaimTests : IDisposable
{
    private const int Threads = 16;
    private readonly TemporaryFolder temporary = new();
    private readonly FolderClock clock;

    public JobClaimTests() => clock = new FolderClock(temporary.Root);

    private string Claims => temporary.File("job.claims");

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void OneOfManyHasIt()
    {
        int inside = 0, taken = 0, overlaps = 0;
        Race(_ =>
        {
            for (int round = 0; round < 20; round++)
            {
                using JobClaim? claim = JobClaim.TryTake(Claims, clock, out Worker? owner);
                if (claim is null) continue;
                Assert.Equal(Worker.Current, owner);
                if (Interlocked.Increment(ref inside) > 1) Interlocked.Increment(ref overlaps);
                Interlocked.Increment(ref taken);
                Thread.Yield();
                Interlocked.Decrement(ref inside);
            }
        });
        Assert.Equal(0, overlaps);
        Assert.InRange(taken, 1, Threads * 20);
        Assert.Equal(taken, Directory.GetDirectories(Claims).Count(static one => !Path.GetFileName(one).StartsWith('.')));
        Assert.Empty(Directory.GetDirectories(Claims, ".*"));
        Assert.False(JobClaim.IsHeld(Claims, clock, out _));
    }

    [Fact]
    public void ADeadOwnersIsTakenOverOnce()
    {
        for (int round = 1; round <= 10; round++)
        {
            string claims = temporary.File($"{round}.claims");
            Leave(claims, 1, Dead);
            Assert.False(JobClaim.IsHeld(claims, clock, out _));
            var taken = new JobClaim?[Threads];
            Race(i => taken[i] = JobClaim.TryTake(claims, clock, out _));
            JobClaim claim = Assert.Single(taken.OfType<JobClaim>());
            Assert.True(JobClaim.IsHeld(claims, clock, out Worker? owner));
            Assert.Equal(Worker.Current, owner);
            claim.Dispose();
        }
    }

    [Fact]
    public void OneWhoLivesHereKeepsItHoweverSilent()
    {
        using JobClaim? claim = JobClaim.TryTake(Claims, clock, out _);
        Assert.NotNull(claim);
        File.SetLastWriteTimeUtc(OwnerFile(1), DateTime.UtcNow.AddDays(-1));
        Assert.True(JobClaim.IsHeld(Claims, clock, out _));
        Assert.Null(JobClaim.TryTake(Claims, clock, out Worker? owner));
        Assert.Equal(Worker.Current, owner);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(4, true)]
    [InlineData(6, false)]
    public void OneElsewhereIsLostAfterFiveMinutesOfSilence(int minutes, bool expected)
    {
        // Another container with this one's name, in which no process has this number: only its silence tells.
        Leave(Claims, 1, Dead with { Place = "elsewhere" });
        File.SetLastWriteTimeUtc(OwnerFile(1), DateTime.UtcNow.AddMinutes(-minutes));
        Assert.Equal(expected, JobClaim.IsHeld(Claims, clock, out Worker? owner));
        Assert.Equal(Worker.Current.Host, owner!.Host);
        using JobClaim? claim = JobClaim.TryTake(Claims, clock, out _);
        Assert.Equal(expected, claim is null);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{}")]
    public void ABrokenOneIsAnyonesAfterItsSilence(string text)
    {
        Directory.CreateDirectory(Path.Combine(Claims, "1"));
        File.WriteAllText(OwnerFile(1), text);
        Assert.True(JobClaim.IsHeld(Claims, clock, out Worker? owner));
        Assert.Null(owner);
        File.SetLastWriteTimeUtc(OwnerFile(1), DateTime.UtcNow.AddMinutes(-6));
        Assert.False(JobClaim.IsHeld(Claims, clock, out _));
    }

    [Fact]
    public void ABeatIsASignOfLifeAndChangesNothing()
    {
        using JobClaim? claim = JobClaim.TryTake(Claims, clock, out _);
        byte[] before = File.ReadAllBytes(OwnerFile(1));
        File.SetLastWriteTimeUtc(OwnerFile(1), DateTime.UtcNow.AddHours(-1));
        claim!.Touch();
        Assert.InRange(DateTime.UtcNow - File.GetLastWriteTimeUtc(OwnerFile(1)), TimeSpan.FromSeconds(-5), TimeSpan.FromMinutes(1));
        Assert.Equal(before, File.ReadAllBytes(OwnerFile(1)));
        Assert.False(claim.Lost.IsCancellationRequested);
    }

    [Fact]
    public void OneThatWasTakenOverHearsOfItAndGivesBackNothing()
    {
        using (JobClaim? claim = JobClaim.TryTake(Claims, clock, out _))
        {
            Leave(Claims, 2, Worker.Current with { Host = "another", Place = "elsewhere" });
            claim!.Touch();
            Assert.True(claim.Lost.IsCancellationRequested);
        }
        Assert.True(JobClaim.IsHeld(Claims, clock, out Worker? owner));
        Assert.Equal("another", owner!.Host);
    }

    [Fact]
    public void ANumberOfAProcessThatIsUsedAgainIsAnothers()
    {
        Assert.False(Worker.Current.HasEnded());
        Assert.True((Worker.Current with { Started = "1" }).HasEnded());
    }

    [ShellFact]
    public void AProcessThatWasKilledHasEndedAtOnce()
    {
        // The child of a shell that does not ask for it: dead, and still in the list of processes.
        var start = new ProcessStartInfo("bash", ["-c", "sleep 100 & echo $!; exec sleep 100"]) { RedirectStandardOutput = true };
        using Process parent = Process.Start(start)!;
        int child = int.Parse(parent.StandardOutput.ReadLine()!, System.Globalization.CultureInfo.InvariantCulture);
        try
        {
            Worker worker = Worker.Current with { Process = child, Started = Worker.StartOf(child) };
            Assert.False(worker.HasEnded());
            using (Process sleeping = Process.GetProcessById(child)) sleeping.Kill();
            Assert.True(SpinWait.SpinUntil(worker.HasEnded, TimeSpan.FromSeconds(30)));
        }
        finally
        {
            parent.Kill();
        }
    }

    [Fact]
    public void AnEarlierStartOfASlurmTaskHasEnded()
    {
        SlurmTask first = Task(restart: null)!;
        SlurmTask again = Task(restart: "1")!;
        Assert.Equal((new SlurmTask("c", "13", 0, "12_3"), 1), (first, again.Restart));
        Assert.True(first.IsBefore(again));
        Assert.False(again.IsBefore(first));
        Assert.False(first.IsBefore(first));
        Assert.False(first.IsBefore(again with { Job = "14" }));
        Assert.False(first.IsBefore(again with { Cluster = "d" }));
        Assert.Null(SlurmTask.Of(static _ => null));

        static SlurmTask? Task(string? restart) => SlurmTask.Of(name => name switch
        {
            "SLURM_JOB_ID" => "13",
            "SLURM_ARRAY_JOB_ID" => "12",
            "SLURM_ARRAY_TASK_ID" => "3",
            "SLURM_CLUSTER_NAME" => "c",
            "SLURM_RESTART_COUNT" => restart,
            _ => null,
        });
    }

    private static Worker Dead => Worker.Current with { Process = int.MaxValue, Started = "1" };

    private string OwnerFile(int number) => Path.Combine(Claims, number.ToString(System.Globalization.CultureInfo.InvariantCulture), "owner.json");

    private static void Leave(string claims, int number, Worker worker)
    {
        string folder = Path.Combine(claims, number.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "owner.json"), JsonSerializer.SerializeToUtf8Bytes(new { Claim = "left", Worker = worker }));
    }

    private static void Race(Action<int> act)
    {
        using var start = new Barrier(Threads);
        var failures = new List<Exception>();
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(i => new Thread(() =>
        {
            start.SignalAndWait();
            try
            {
                act(i);
            }
            catch (Exception exception)
            {
                lock (failures) failures.Add(exception);
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Assert.Empty(failures);
    }
}
