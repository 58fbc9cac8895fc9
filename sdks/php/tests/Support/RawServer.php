<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

/** A server that answers with chosen bytes, and hangs up; raw-server.php has its rules. */
final class RawServer
{
    public readonly string $baseUrl;
    private readonly Process $process;

    public function __construct(string ...$answers)
    {
        $command = [PHP_BINARY, __DIR__ . '/raw-server.php', ...array_map(base64_encode(...), array_values($answers))];
        $this->process = new Process($command, null, null, 1);
        $address = $this->process->line(static fn (string $line): string => trim($line));
        $this->baseUrl = "http://{$address}/v1";
    }

    /** Bytes of the next request that it got, once that is answered. */
    public function got(): int
    {
        return (int) $this->process->line(static fn (string $line): string => $line);
    }
}
