<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

use PHPUnit\Framework\Assert;

/** The scripted server of sdks/conformance, one for all tests. */
final class ScriptedServer
{
    private static ?self $shared = null;

    public readonly string $baseUrl;
    private readonly string $control;
    private readonly Process $process;

    private function __construct()
    {
        $server = Checkout::path('sdks/conformance/server.py');
        $this->process = new Process([Checkout::python(), $server], null, null, 1);
        $about = $this->process->line(static fn (string $line): mixed => json_decode($line, true));
        Assert::assertIsArray($about, 'The scripted server did not start.');
        $this->baseUrl = $about['base_url'];
        $this->control = $about['control_url'];
    }

    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    /** @param object|array<string, list<array<string, mixed>>> $answers by `METHOD /path` */
    public function script(object|array $answers): void
    {
        $this->ask('POST', '/script', (string) json_encode((object) $answers));
    }

    /**
     * What was asked since the script was set; bodies as they were sent.
     *
     * @return list<array{method: string, path: string, query: string, headers: array<string, string>, body: string,
     *     at: float}>
     */
    public function seen(): array
    {
        $requests = json_decode($this->ask('GET', '/requests', ''), true)['requests'];
        return array_map(
            static fn (array $request): array => [...$request, 'body' => (string) base64_decode($request['body'])],
            $requests,
        );
    }

    private function ask(string $method, string $path, string $body): string
    {
        $http = ['method' => $method, 'content' => $body, 'header' => 'Content-Type: application/json'];
        return (string) file_get_contents($this->control . $path, false, stream_context_create(['http' => $http]));
    }
}
