<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

use InnoAI\Client;
use PHPUnit\Framework\Assert;

/**
 * A real innoai server with the echo model, one for all tests: the one that INNOAI_SERVER_URL and INNOAI_SERVER_KEY
 * name, else one in a directory of its own.
 */
final class InnoaiServer
{
    public const MODEL = 'inno-ai-boyong-4.5';

    private const SETTINGS = <<<'TOML'
        [server]
        bind = "127.0.0.1:0"
        [limits]
        failed_auth = 1000000
        [webhooks]
        allowed_networks = ["127.0.0.0/8"]
        [models."inno-ai-boyong-4.5"]
        upstreams = [{ base_url = "echo:" }]
        [models."inno-ai-boyong-4.5".price]
        prompt = "1000"
        completion = "2000"
        TOML;

    private static ?self $shared = null;

    private ?string $directory = null;
    private ?Process $process = null;

    private function __construct(public readonly string $baseUrl, public readonly string $adminKey)
    {
    }

    public function __destruct()
    {
        $this->process?->end();
        if ($this->directory === null) {
            return;
        }
        $within = new \RecursiveDirectoryIterator($this->directory, \FilesystemIterator::SKIP_DOTS);
        foreach (new \RecursiveIteratorIterator($within, \RecursiveIteratorIterator::CHILD_FIRST) as $file) {
            $file->isDir() ? rmdir($file->getPathname()) : unlink($file->getPathname());
        }
        rmdir($this->directory);
    }

    /** The server; without an installation the test that asks is skipped. */
    public static function shared(): self
    {
        if (self::$shared === null) {
            [$url, $key, $innoai] = [getenv('INNOAI_SERVER_URL'), getenv('INNOAI_SERVER_KEY'), Checkout::innoai()];
            if (is_string($url) && is_string($key)) {
                self::$shared = new self($url, $key);
            } elseif ($innoai !== null) {
                self::$shared = self::started($innoai);
            } else {
                Assert::markTestSkipped('innoai is not installed: `make install` makes .venv/bin/innoai');
            }
        }
        return self::$shared;
    }

    /** @param array<string, mixed> $options */
    public function client(array $options = []): Client
    {
        return new Client(['api_key' => $this->adminKey, 'base_url' => $this->baseUrl, ...$options]);
    }

    private static function started(string $innoai): self
    {
        $directory = sys_get_temp_dir() . '/innoai-php-' . bin2hex(random_bytes(6));
        mkdir($directory, 0700);
        file_put_contents("{$directory}/innoai.toml", self::SETTINGS);
        $init = new Process([$innoai, 'init', '--json'], $directory, self::environment(), 1);
        $made = json_decode($init->rest(), true);
        Assert::assertIsArray($made, '`innoai init --json` printed no object.');
        // The leash ends the server when this process is killed before it can.
        $leash = [Checkout::python(), '-I', '-S', Checkout::path('tests/support/leash.py'), (string) getmypid()];
        $process = new Process([...$leash, $innoai, 'serve'], $directory, self::environment(), 2);
        $said = [];
        $origin = $process->line(static function (string $line) use (&$said): ?string {
            $said[] = $line;
            $event = json_decode($line, true);
            return ($event['event'] ?? null) === 'listening' ? $event['address'] : null;
        });
        Assert::assertIsString($origin, "The server did not start:\n" . implode('', $said));
        for ($attempt = 0; @file_get_contents("{$origin}/readyz") === false; $attempt++) {
            Assert::assertLessThan(200, $attempt, 'The server says that it listens, and does not.');
            usleep(50_000);
        }
        $server = new self("{$origin}/v1", $made['api_key']);
        [$server->directory, $server->process] = [$directory, $process];
        return $server;
    }

    /** @return array<string, string> */
    private static function environment(): array
    {
        return ['PATH' => (string) getenv('PATH'), 'HOME' => (string) getenv('HOME'), 'PYTHONUTF8' => '1'];
    }
}
