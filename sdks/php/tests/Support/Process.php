<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

/** A child process that ends with the tests, whatever happens to them. */
final class Process
{
    /** @var resource */
    private $process;
    /** @var array<int, resource> */
    private array $pipes = [];

    /**
     * @param list<string> $command
     * @param array<string, string>|null $environment null: this process's
     * @param int $read the descriptor of its output that is read, 1 or 2
     */
    public function __construct(array $command, ?string $directory, ?array $environment, private readonly int $read)
    {
        $null = ['file', '/dev/null', 'w'];
        $descriptors = [['pipe', 'r'], $null, $null];
        $descriptors[$read] = ['pipe', 'w'];
        $process = proc_open($command, $descriptors, $this->pipes, $directory, $environment);
        if ($process === false) {
            throw new \RuntimeException("Could not start {$command[0]}.");
        }
        $this->process = $process;
    }

    public function __destruct()
    {
        $this->end();
    }

    /** Read lines until one is told by `found`; null when the output ended before. */
    public function line(callable $found): mixed
    {
        while (($line = fgets($this->pipes[$this->read])) !== false) {
            $value = $found($line);
            if ($value !== null) {
                return $value;
            }
        }
        return null;
    }

    /** What it still says, until it is over. */
    public function rest(): string
    {
        $said = (string) stream_get_contents($this->pipes[$this->read]);
        array_map(fclose(...), $this->pipes);
        $this->pipes = [];
        proc_close($this->process);
        return $said;
    }

    /** End it by SIGTERM and the end of its input. */
    public function end(): void
    {
        if ($this->pipes === []) {
            return;
        }
        proc_terminate($this->process);
        foreach ($this->pipes as $pipe) {
            fclose($pipe);
        }
        $this->pipes = [];
        proc_close($this->process);
    }
}
