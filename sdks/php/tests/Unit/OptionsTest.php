<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Client;
use InnoAI\Exception\InvalidArgument;
use InnoAI\Exception\MissingApiKey;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\Attributes\DataProvider;

final class OptionsTest extends ScriptedTestCase
{
    protected function tearDown(): void
    {
        putenv('INNOAI_API_KEY');
        putenv('INNOAI_BASE_URL');
        unset($_SERVER['INNOAI_API_KEY']);
    }

    public function testKeyAndAddressComeFromTheEnvironment(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        putenv('INNOAI_API_KEY=' . self::KEY . "\n");
        putenv('INNOAI_BASE_URL=' . ScriptedServer::shared()->baseUrl . '/');
        self::assertTrue((new Client())->auth->validate()->valid);
        self::assertTrue((new Client(['api_key' => null, 'base_url' => null]))->auth->validate()->valid);
        putenv('INNOAI_API_KEY');
        $_SERVER['INNOAI_API_KEY'] = self::KEY;
        self::assertTrue((new Client())->auth->validate()->valid);
        self::assertSame('Bearer ' . self::KEY, self::seen()[2]['headers']['authorization']);
    }

    public function testWhatIsGivenGoesBeforeTheEnvironment(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        putenv('INNOAI_API_KEY=sk-inno-another');
        putenv('INNOAI_BASE_URL=http://127.0.0.1:1/v1');
        self::assertTrue(self::client()->auth->validate()->valid);
        self::assertSame('Bearer ' . self::KEY, self::seen()[0]['headers']['authorization']);
    }

    public function testWithoutAKeyThereIsNoClient(): void
    {
        $this->expectException(MissingApiKey::class);
        $this->expectExceptionMessage('INNOAI_API_KEY');
        new Client(['api_key' => '  ']);
    }

    public function testNobodyIsNoCustomerToActFor(): void
    {
        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage("needs a customer's id");
        (new Client(['api_key' => 'k']))->asCustomer('');
    }

    public function testWithoutAnAddressItIsTheServerOfThisMachine(): void
    {
        $shown = (new Client(['api_key' => 'k']))->__debugInfo();
        self::assertSame('http://127.0.0.1:8080/v1', $shown['base_url']);
    }

    /**
     * @dataProvider unusable
     * @param array<string, mixed> $options
     */
    #[DataProvider('unusable')]
    public function testWhatCannotBeUsedIsRefusedByItsName(array $options, string $said): void
    {
        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage($said);
        self::client($options);
    }

    /** @return array<string, array{array<string, mixed>, string}> */
    public static function unusable(): array
    {
        return [
            'an unknown option' => [['apiKey' => 'k'], "no option 'apiKey'"],
            'a key with a space' => [['api_key' => 'sk-inno a'], 'API key contains a space'],
            'a key that is a number' => [['api_key' => 7], 'api_key is a string'],
            'an address without scheme' => [['base_url' => 'gateway.example.com/v1'], 'base_url'],
            'an address of a file' => [['base_url' => 'file:///etc/passwd'], 'base_url'],
            'an address with a user' => [['base_url' => 'https://u:p@example.com/v1'], 'base_url'],
            'an address with a query' => [['base_url' => 'https://example.com/v1?x=1'], 'base_url'],
            'an address with a line end' => [['base_url' => "https://example.com/v1\n"], 'base_url'],
            'scopes as one text' => [['scopes' => 'inference:read'], 'scopes is a list'],
            'a timeout of nothing' => [['timeout' => 0], 'timeout'],
            'a timeout that is no number' => [['timeout' => '5'], 'timeout'],
            'less than no retries' => [['max_retries' => -1], 'max_retries'],
            'a customer that is a number' => [['customer_id' => 7], 'customer_id'],
            'a header with a line end' => [['default_headers' => ['X-A' => "a\r\nb: c"]], 'default_headers'],
            'a header with a space in its name' => [['default_headers' => ['X A' => 'a']], 'default_headers'],
            'a header as a line' => [['default_headers' => ['X-A: a']], 'default_headers'],
            'a client that is none' => [['http_client' => new \stdClass()], 'http_client'],
        ];
    }

    public function testACopyHasWhatWasChangedAndKeepsTheRest(): void
    {
        $pair = ['access_token' => 'a', 'token_type' => 'Bearer', 'expires_in' => 3600, 'refresh_token' => 'r'];
        self::script([
            'POST /v1/auth/token' => [['json' => $pair]],
            'GET /v1/auth/validate' => [['json' => self::VALID]],
        ]);
        $options = ['default_headers' => ['X-Team' => 'blue'], 'scopes' => ['inference:read']];
        $copy = self::client($options)->with(['token_lifetime' => 60]);
        $copy->auth->validate();
        [$minted, $asked] = self::seen();
        self::assertSame(['scopes' => ['inference:read'], 'expires_in' => 60], json_decode($minted['body'], true));
        self::assertSame(['blue', 'Bearer a'], [$asked['headers']['x-team'], $asked['headers']['authorization']]);
        $copy->with(['scopes' => null])->auth->validate();
        self::assertSame('Bearer ' . self::KEY, self::seen()[2]['headers']['authorization']);
    }

    public function testARequestMayHaveOptionsOfItsOwn(): void
    {
        self::script(['POST /v1/chat/completions' => [['json' => self::COMPLETION]]]);
        $client = self::client(['default_headers' => ['X-Team' => 'blue', 'user-agent' => 'mine']]);
        $client->chat->completions->create(self::CHAT, ['headers' => ['x-team' => 'red'], 'timeout' => 5]);
        $headers = self::seen()[0]['headers'];
        self::assertSame(['red', 'mine'], [$headers['x-team'], $headers['user-agent']]);
        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage("no option 'retries'");
        $client->chat->completions->create(self::CHAT, ['retries' => 1]);
    }

    public function testNoHeaderOfTheCallersTakesTheCredentialsPlace(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        self::client(['default_headers' => ['AUTHORIZATION' => 'Bearer other']])->auth->validate();
        self::assertSame('Bearer ' . self::KEY, self::seen()[0]['headers']['authorization']);
    }
}
