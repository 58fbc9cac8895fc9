<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Client;
use InnoAI\Tests\Support\InnoaiServer;
use PHPUnit\Framework\TestCase;

/** A test against the real server. */
abstract class ServerTestCase extends TestCase
{
    protected const HELLO = [
        'model' => InnoaiServer::MODEL,
        'messages' => [['role' => 'user', 'content' => 'one two three']],
    ];

    protected InnoaiServer $server;
    protected Client $client;

    protected function setUp(): void
    {
        $this->server = InnoaiServer::shared();
        $this->client = $this->server->client(['max_retries' => 0]);
    }

    /** A name that no other test uses. */
    protected static function unique(string $name): string
    {
        return $name . '-' . bin2hex(random_bytes(4));
    }
}
