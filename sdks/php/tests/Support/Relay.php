<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

use PHPUnit\Framework\Assert;

/** A way to a server that can be cut and made again. */
final class Relay
{
    public readonly string $baseUrl;
    private readonly string $address;
    private readonly string $server;
    private ?Process $process = null;

    public function __construct(string $baseUrl)
    {
        $this->server = str_replace(['http://', '/v1'], '', $baseUrl);
        $this->address = Checkout::freeAddress();
        $this->baseUrl = "http://{$this->address}/v1";
        $this->make();
    }

    public function make(): void
    {
        $command = [PHP_BINARY, __DIR__ . '/relay.php', $this->address, $this->server];
        $this->process = new Process($command, null, null, 1);
        Assert::assertNotNull($this->process->line(static fn (string $line): string => $line));
    }

    /** End every connection. */
    public function cut(): void
    {
        $this->process?->end();
        $this->process = null;
    }
}
