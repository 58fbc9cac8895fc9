// The documentation's refreshToken() and axios interceptor, word for word, behind a client whose tokens are dead.
import axios from 'axios';

const [ACCESS_TOKEN, REFRESH_TOKEN, SECOND_ACCESS_TOKEN] = process.argv.slice(2);
const client = axios.create({ baseURL: 'https://ai-gateway.innoserver.cloud/v1' });

async function refreshToken(refreshToken) {
  const response = await fetch('https://api.innoai.ph/v1/auth/refresh', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ refresh_token: refreshToken })
  });
  
  const data = await response.json();
  return data.access_token;
}

client.interceptors.response.use(
  (response) => response,
  async (error) => {
    if (error.response?.status === 401) {
      const newToken = await refreshToken(refreshToken);
      error.config.headers['Authorization'] = `Bearer ${newToken}`;
      return client.request(error.config);
    }
    return Promise.reject(error);
  }
);

// The snippets give the function and the token one name; this lets one value be both.
refreshToken.toJSON = () => REFRESH_TOKEN;

const body = { model: 'inno-ai-boyong-4.5', messages: [{ role: 'user', content: 'Hello' }] };
const answers = [];
for (const dead of [ACCESS_TOKEN, SECOND_ACCESS_TOKEN]) {
  const answer = await client.post('/chat/completions', body, { headers: { Authorization: `Bearer ${dead}` } });
  const used = answer.config.headers['Authorization'];
  answers.push({ status: answer.status, used, said: answer.data.choices[0].message.content });
}

console.log(JSON.stringify({ answers, refreshed: await refreshToken(REFRESH_TOKEN) }));
