<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Enum\Scope;
use InnoAI\Exception\InsufficientPermissions;
use InnoAI\Exception\InvalidApiKey;

/** Clients that send tokens, and never the key. */
final class TokenAuthTest extends ServerTestCase
{
    public function testACustomersClientSeesWhatIsTheCustomersAlone(): void
    {
        $tenant = $this->client->asCustomer(self::unique('tenant'), [
            'scopes' => [Scope::InferenceRead, Scope::InferenceWrite],
            'expires_in' => 60,
        ]);
        self::assertSame(['inference:read', 'inference:write'], $tenant->auth->validate()->scopes);
        $answer = $tenant->chat->completions->create(self::HELLO);
        self::assertSame('one two three', $answer->choices[0]->message->content);
        $this->expectException(InsufficientPermissions::class);
        $tenant->customers->list();
    }

    public function testADisabledCustomerIsRefusedAndServedAgainWhenItIsEnabled(): void
    {
        $id = self::unique('tenant');
        $tenant = $this->client->asCustomer($id, ['scopes' => ['inference:read']]);
        $tenant->models->list();
        $this->client->customers->update($id, ['disabled' => true]);
        try {
            $tenant->models->list();
            self::fail('A disabled customer was served.');
        } catch (InsufficientPermissions $refusal) {
            self::assertStringContainsString('disabled', $refusal->getMessage());
        }
        $this->client->customers->update($id, ['disabled' => false]);
        self::assertCount(1, $tenant->models->list()->data);
    }

    public function testOneTokenServesCallsSideBySide(): void
    {
        $tenant = $this->client->asCustomer(self::unique('tenant'), ['scopes' => ['inference:write']]);
        $calls = array_fill(0, 12, fn () => $tenant->chat->completions->create(self::HELLO));
        foreach ($tenant->concurrently($calls) as $answer) {
            self::assertSame('one two three', $answer->choices[0]->message->content);
        }
    }

    public function testARevokedKeyEndsItsClients(): void
    {
        $key = $this->client->keys->create(['name' => 'Ends', 'scopes' => ['inference:read']]);
        $tenant = $this->client->with(['api_key' => $key->key, 'customer_id' => self::unique('tenant')]);
        $tenant->models->list();
        $this->client->keys->revoke($key->id);
        $this->expectException(InvalidApiKey::class);
        $tenant->models->list();
    }
}
